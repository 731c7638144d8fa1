"""rateway in every scenario that comes with the simulator: acceptance criteria 1 to 36, and some bad days."""

from __future__ import annotations

from .stage import StageTestCase


class CriteriaTests(StageTestCase):
    """What Discord does, and what rateway must do."""

    async def test_criterion_01(self) -> None:
        """A normal start."""
        await self.play("criterion_01")

    async def test_criterion_02(self) -> None:
        """The gateway's address with and without a slash."""
        await self.play("criterion_02")

    async def test_criterion_03(self) -> None:
        """Heartbeats."""
        await self.play("criterion_03")

    async def test_criterion_04(self) -> None:
        """A heartbeat on demand."""
        await self.play("criterion_04")

    async def test_criterion_05(self) -> None:
        """No ACK."""
        await self.play("criterion_05")

    async def test_criterion_06(self) -> None:
        """Bare ACKs."""
        await self.play("criterion_06")

    async def test_criterion_07(self) -> None:
        """Op 7 before HELLO."""
        await self.play("criterion_07")

    async def test_criterion_08(self) -> None:
        """Op 7 while active."""
        await self.play("criterion_08")

    async def test_criterion_09(self) -> None:
        """Op 7 right behind a burst of events."""
        await self.play("criterion_09")

    async def test_criterion_10(self) -> None:
        """TCP reset."""
        await self.play("criterion_10")

    async def test_criterion_11(self) -> None:
        """Ends without a code."""
        await self.play("criterion_11")

    async def test_criterion_12(self) -> None:
        """Discord closes with 1000 and 1001."""
        await self.play("criterion_12")

    async def test_criterion_13(self) -> None:
        """Close codes that keep the session."""
        await self.play("criterion_13")

    async def test_criterion_14(self) -> None:
        """Close codes that end the session."""
        await self.play("criterion_14")

    async def test_criterion_15(self) -> None:
        """Session timed out."""
        await self.play("criterion_15")

    async def test_criterion_16(self) -> None:
        """The token is refused."""
        await self.play("criterion_16")

    async def test_criterion_17(self) -> None:
        """Close codes that are final."""
        await self.play("criterion_17")

    async def test_criterion_18(self) -> None:
        """A RESUME that is refused."""
        await self.play("criterion_18")

    async def test_criterion_19(self) -> None:
        """Op 9 true while active."""
        await self.play("criterion_19")

    async def test_criterion_20(self) -> None:
        """Op 9 false after IDENTIFY."""
        await self.play("criterion_20")

    async def test_criterion_21(self) -> None:
        """A long replay."""
        await self.play("criterion_21")

    async def test_criterion_22(self) -> None:
        """The resume address refuses TCP."""
        await self.play("criterion_22")

    async def test_criterion_23(self) -> None:
        """The resume address accepts, but never greets."""
        await self.play("criterion_23")

    async def test_criterion_24(self) -> None:
        """READY never comes."""
        await self.play("criterion_24")

    async def test_criterion_25(self) -> None:
        """Four shards, one at a time."""
        await self.play("criterion_25")

    async def test_criterion_26(self) -> None:
        """Thirty-two shards, sixteen at a time."""
        await self.play("criterion_26")

    async def test_criterion_27(self) -> None:
        """Two IDENTIFYs left for four shards."""
        await self.play("criterion_27")

    async def test_criterion_28(self) -> None:
        """Connections that drop after READY."""
        await self.play("criterion_28")

    async def test_criterion_29(self) -> None:
        """A RESUME while others wait to identify."""
        await self.play("criterion_29")

    async def test_criterion_30(self) -> None:
        """zlib-stream."""
        await self.play("criterion_30")

    async def test_criterion_31(self) -> None:
        """zlib-stream in pieces."""
        await self.play("criterion_31")

    async def test_criterion_32(self) -> None:
        """A new connection begins a new zlib stream."""
        await self.play("criterion_32")

    async def test_criterion_33(self) -> None:
        """zstd-stream."""
        await self.play("criterion_33")

    async def test_criterion_35(self) -> None:
        """A corrupt stream."""
        await self.play("criterion_35")

    async def test_criterion_36(self) -> None:
        """Twenty megabytes in one payload."""
        await self.play("criterion_36")

    async def test_deploy(self) -> None:
        """Discord deploys."""
        await self.play("deploy")

    async def test_outage(self) -> None:
        """Discord is out."""
        await self.play("outage")

    async def test_rate_limited(self) -> None:
        """Told to wait."""
        await self.play("rate_limited")

    async def test_bad_day(self) -> None:
        """A bad day."""
        await self.play("bad_day")

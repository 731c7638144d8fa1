"""What members may do, by roles and overwrites."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.options import SimulatorOptions
from rateway.simulator.world import channels
from rateway.simulator.world.permissions import (
    CONNECT,
    EVERYTHING,
    SEND_MESSAGES,
    VIEW_CHANNEL,
    may_enter,
    permissions_of,
)
from rateway.simulator.world.world import BOT_ID, World


class PermissionTests(SynchronousTestCase):
    """A guild where @everyone may see channels, and regulars may write."""

    def setUp(self) -> None:
        self.guild = next(iter(World(SimulatorOptions(guilds=1, members=9, sizes="equal")).guilds.values()))
        for role in self.guild.roles.values():
            role["permissions"] = "0"
        self.regulars = next(id for id, role in self.guild.roles.items() if role["name"] == "regulars")
        self.guild.roles[self.guild.id]["permissions"] = str(VIEW_CHANNEL | CONNECT)
        self.guild.roles[self.regulars]["permissions"] = str(SEND_MESSAGES)
        self.owner, self.one, self.regular = [id for id in self.guild.members if id != BOT_ID][:3]
        self.guild.members.change(self.one, roles=[])
        self.guild.members.change(self.regular, roles=[str(self.regulars)])
        self.channel = self.guild.voice_channels()[0]

    def bits(self, user: int) -> int:
        return permissions_of(self.guild, user, self.channel)

    def test_roles(self) -> None:
        """What @everyone and a member's roles allow; the owner and administrators may do everything, others nothing."""
        self.assertEqual(self.bits(self.one), VIEW_CHANNEL | CONNECT)
        self.assertEqual(self.bits(self.regular), VIEW_CHANNEL | CONNECT | SEND_MESSAGES)
        self.assertEqual(permissions_of(self.guild, self.regular), VIEW_CHANNEL | CONNECT | SEND_MESSAGES)
        self.assertEqual((self.bits(self.owner), self.bits(5)), (EVERYTHING, 0))
        self.guild.roles[self.regulars]["permissions"] = "8"
        self.assertEqual(self.bits(self.regular), EVERYTHING)

    def test_overwrites(self) -> None:
        """@everyone's come first, then those of roles, then the member's own; within one, allowing wins."""
        overwrites = self.guild.channels[self.channel]["permission_overwrites"]
        overwrites.append(channels.overwrite(self.guild.id, deny=CONNECT))
        self.assertEqual(self.bits(self.one), VIEW_CHANNEL)
        overwrites.append(channels.overwrite(self.regulars, allow=CONNECT, deny=SEND_MESSAGES))
        self.assertEqual(self.bits(self.regular), VIEW_CHANNEL | CONNECT)
        overwrites.append(channels.overwrite(self.regular, member=True, allow=SEND_MESSAGES, deny=CONNECT))
        self.assertEqual(self.bits(self.regular), VIEW_CHANNEL | SEND_MESSAGES)

    def test_out_of_sight(self) -> None:
        """Who may not see a channel may do nothing there."""
        self.guild.channels[self.channel]["permission_overwrites"] = [
            channels.overwrite(self.guild.id, deny=VIEW_CHANNEL)
        ]
        self.assertEqual(self.bits(self.regular), 0)
        self.assertFalse(may_enter(self.guild, self.regular, self.channel))
        self.assertTrue(may_enter(self.guild, self.owner, self.channel))

    def test_what_can_be_entered(self) -> None:
        """Voice channels and stages, nothing else."""
        entered = {
            channel["type"] for id, channel in self.guild.channels.items() if may_enter(self.guild, self.one, id)
        }
        self.assertEqual((entered, may_enter(self.guild, self.one, 5)), ({2, 13}, False))

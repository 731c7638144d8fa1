"""Scenario files into scenarios; every mistake is told in a sentence with file, table and key."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import attrs
import msgspec

from rateway.model.intents import parse_intents

from ..control.actions import parse_action
from ..options import SimulatorOptions
from .checks import check_expect, check_on
from .format import Case, Client, Expect, File, Scenario, Step, Table, Timing, Variant

T = TypeVar("T", bound=Table)

_FIXED = ("token", "host", "resume_host")
"""Options that a scenario can't choose: the client has been told them already."""

_TIMING = tuple(field.name for field in msgspec.structs.fields(Timing))
_OPTIONS = tuple(field.name for field in attrs.fields(SimulatorOptions) if field.name not in _FIXED)


class ScenarioError(ValueError):
    """A scenario that can't be used: where, why, and what to do about it."""


def packaged() -> list[str]:
    """The names of the scenarios that come with the simulator."""
    folder = files("rateway.simulator") / "scenarios"
    return sorted(each.name.removesuffix(".toml") for each in folder.iterdir() if each.name.endswith(".toml"))


def load(name: str) -> Scenario:
    """A scenario by its file's path, or by its name if it is a packaged one; ``:VARIANT`` at the end takes one alone.

    :raises ScenarioError: when there is none, or it can't be used.
    """
    name, _, variant = (name, "", "") if Path(name).exists() else name.partition(":")
    if Path(name).is_file():
        try:
            text = Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ScenarioError(f"{name}: can't be read: {error}") from None
        scenario = read(text, Path(name).stem, name)
    elif name in packaged():
        text = (files("rateway.simulator") / "scenarios" / f"{name}.toml").read_text("utf-8")
        scenario = read(text, name)
    else:
        raise ScenarioError(
            f"there is no file {name}, and no packaged scenario of that name{_nearest(name, packaged())}"
        )
    if not variant:
        return scenario
    chosen = tuple(case for case in scenario.cases if case.variant == variant)
    if not chosen:
        titles = [case.variant for case in scenario.cases if case.variant]
        known = f"its variants are: {', '.join(titles)}" if titles else "it has none"
        raise ScenarioError(f"{name} has no variant {variant!r}; {known}")
    return attrs.evolve(scenario, cases=chosen)


def listing() -> str:
    """The packaged scenarios, a line each, their variants below."""
    lines = []
    for name in packaged():
        scenario = load(name)
        lines.append(f"{name:<14} {scenario.title}")
        variants = [case.variant for case in scenario.cases if case.variant]
        if variants:
            lines.append(f"{'':<14}   variants: {', '.join(variants)}")
    return "\n".join(lines)


def read(text: str, name: str, source: str = "") -> Scenario:
    """A scenario from its TOML.

    :param source: what errors call the file; its name by default.
    :raises ScenarioError: when it can't be used.
    """
    return _Reader(name, source or name).scenario(text)


class _Reader:
    """Reads one file."""

    def __init__(self, name: str, source: str) -> None:
        self._name = name
        self._source = source

    def error(self, table: str, what: object) -> ScenarioError:
        place = f"{self._source}, {table}" if table else self._source
        return ScenarioError(f"{place}: {what}")

    def scenario(self, text: str) -> Scenario:
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise self.error("", f"no TOML: {error}") from None
        file = self.table(raw, File, "the file's head")
        variants = [self.table(each, Variant, f"[[variant]] {n}") for n, each in enumerate(file.variant, start=1)]
        titles = [variant.title for variant in variants]
        if len(set(titles)) != len(titles):
            raise self.error("[[variant]]", f"titles must differ: {', '.join(titles)}")
        if any(not title or ":" in title for title in titles):
            raise self.error("[[variant]]", "a title must not be empty, nor contain a colon")
        runs: list[Variant | None] = [*variants] if variants else [None]
        cases = tuple(self.case(file, variant) for variant in runs)
        return Scenario(self._name, file.title, file.about, file.criterion, cases)

    def case(self, file: File, variant: Variant | None) -> Case:
        extra = variant or Variant(title="")
        inside = f" of variant {extra.title}" if variant else ""
        values = extra.values
        steps = [
            self.step(self.filled(each, values, f"[[step]] {n}{inside}"), f"[[step]] {n}{inside}")
            for n, each in enumerate((*file.step, *extra.step), start=1)
        ]
        expects = [
            self.table(self.filled(each, values, f"[[expect]] {n}{inside}"), Expect, f"[[expect]] {n}{inside}")
            for n, each in enumerate((*file.expect, *extra.expect), start=1)
        ]
        self.check(steps, expects, inside)
        client = self.table({**file.client, **extra.client}, Client, f"[client]{inside}")
        breaches = self.filled([*file.breaches, *extra.breaches], values, f"breaches{inside}")
        return Case(
            scenario=self._name,
            variant=extra.title,
            about=file.about,
            options=self.options({**file.simulator, **extra.simulator}, f"[simulator]{inside}"),
            client=client,
            steps=tuple(steps),
            expects=tuple(expects),
            breaches=frozenset(breaches),
            unseen=(*file.unseen, *extra.unseen),
            timeout=file.timeout if extra.timeout is None else extra.timeout,
            hold=file.hold if extra.hold is None else extra.hold,
            patience=file.patience,
        )

    def table(self, raw: object, kind: type[T], name: str) -> T:
        """One table as what it must be."""
        known = [each.encode_name for each in msgspec.structs.fields(kind)]
        self.known(raw, known, name)
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            raise self.error(name, _plainer(error)) from None

    def known(self, raw: object, known: Sequence[str], name: str) -> None:
        """Refuse keys that nobody knows, naming the nearest that somebody does."""
        for key in raw if isinstance(raw, Mapping) else ():
            if key not in known:
                raise self.error(name, f"there is no key {key!r}{_nearest(key, known)}")

    def step(self, raw: Mapping[str, Any], name: str) -> Step:
        timing = self.table({key: value for key, value in raw.items() if key in _TIMING}, Timing, name)
        rest = {key: value for key, value in raw.items() if key not in _TIMING}
        if rest and "do" not in rest:
            self.known(rest, (*_TIMING, "do"), name)
        if rest and timing.actions:
            raise self.error(name, f"{_listed(rest)} beside actions: put every action into actions")
        if timing.at is not None and (timing.on is not None or timing.after):
            raise self.error(name, "at says when by itself: leave on and after out")
        if timing.on is not None:
            try:
                check_on(timing.on)
            except ValueError as error:
                raise self.error(name, error) from None
        if not rest and not timing.actions and not timing.mark:
            raise self.error(name, "it does nothing: give it do, actions or a mark")
        actions = [self.action(each, name) for each in ([rest] if rest else timing.actions)]
        if rest:
            meant = sorted(set(raw) & set(_TIMING) & {each.name for each in msgspec.structs.fields(type(actions[0]))})
            if meant:
                table = ", ".join(f"{key} = …" for key in ("do", *meant))
                raise self.error(
                    name,
                    f"both the step and {rest['do']!r} know {_listed(meant)}: write actions = [{{ {table} }}] for the "
                    "action's, and leave the step's outside",
                )
        words = "; ".join(_words(each) for each in ([rest] if rest else timing.actions))
        return Step(timing, tuple(actions), words)

    def action(self, raw: Mapping[str, Any], name: str) -> Any:
        try:
            return parse_action(raw)
        except ValueError as error:
            raise self.error(name, error) from None

    def options(self, raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """Fields of SimulatorOptions, of the right types."""
        fixed = [key for key in raw if key in _FIXED]
        if fixed:
            raise self.error(name, f"{_listed(fixed)} can't be chosen by a scenario: the client was told already")
        self.known(raw, _OPTIONS, name)
        given = dict(raw)
        intents = given.get("allowed_intents")
        try:
            if isinstance(intents, str):
                given["allowed_intents"] = int(parse_intents(intents))
            chosen = msgspec.convert(given, SimulatorOptions)
        except ValueError as error:
            raise self.error(name, _plainer(error)) from None
        return {key: getattr(chosen, key) for key in raw}

    def check(self, steps: Iterable[Step], expects: Iterable[Expect], inside: str) -> None:
        marks = [step.timing.mark for step in steps if step.timing.mark]
        for mark in marks:
            if marks.count(mark) > 1:
                raise self.error(f"[[step]]{inside}", f"the mark {mark!r} is given twice")
        for number, expect in enumerate(expects, start=1):
            try:
                check_expect(expect, marks)
            except ValueError as error:
                raise self.error(f"[[expect]] {number}{inside}", error) from None

    def filled(self, raw: Any, values: Mapping[str, Any], name: str) -> Any:
        """With the variant's values for ``"$word"``; ``"$null"`` is JSON's null, which TOML lacks."""
        if isinstance(raw, dict):
            return {key: self.filled(value, values, name) for key, value in raw.items()}
        if isinstance(raw, list):
            return [self.filled(each, values, name) for each in raw]
        if not (isinstance(raw, str) and raw.startswith("$") and raw[1:].isidentifier()):
            return raw
        if raw == "$null":
            return None
        if raw[1:] not in values:
            raise self.error(name, f"{raw} stands for nothing: give it in the values of each [[variant]]")
        return values[raw[1:]]


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"; is {near[0]!r} meant?" if near else f"; there are: {', '.join(known)}"


def _listed(words: Iterable[str]) -> str:
    return " and ".join(repr(word) for word in words)


def _plainer(error: Exception) -> str:
    """msgspec's error with the key before what is wrong with it."""
    what, _, path = str(error).partition(" - at ")
    key = path.strip("`").removeprefix("$.")
    return f"{key}: {what}" if key else what


def _words(action: Mapping[str, Any]) -> str:
    fields = ", ".join(f"{key} {value}" for key, value in action.items() if key != "do")
    return f"{action.get('do')} ({fields})" if fields else str(action.get("do"))

"""What is typed after `pinn-ntk`, turned into overrides that Hydra composes without stopping at the first mistake."""

import argparse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import HydraException

from pinn_ntk.app.faults import BadInputError, Fault, shown
from pinn_ntk.arguments import unknown

Groups = Mapping[str, Sequence[str]]
Tables = Mapping[str, Mapping[str, Any]]
SHOW = ("job", "hydra", "all")
_BY_NAME = (
    "activation",
    "device",
)  # groups of one key `name`, whose value may also be none of the files: cuda:1, a plugin's activation
_BY_KIND = ("problem", "network")  # groups whose `kind` may be a plugin's


@dataclass(frozen=True)
class Request:
    """The command line, read.

    Attributes:
        words: as typed.
        overrides: key=value words, without `plugins=`.
        plugins: the files of `plugins=[…]`.
        multirun: whether to sweep.
        config_dir: a person's own folder of groups.
        show: which configuration to print instead of running.
        resolve: whether interpolations are resolved in what is printed.
        package: the part to print.
        help: whether to print the help.
        version: whether to print the version.
        resume: the folder of a run to go on with.
    """

    words: tuple[str, ...]
    overrides: tuple[str, ...]
    plugins: tuple[str, ...]
    multirun: bool
    config_dir: str | None
    show: str | None
    resolve: bool
    package: str | None
    help: bool
    version: bool
    resume: str | None = None


class _Parser(argparse.ArgumentParser):
    """Argparse whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        raise BadInputError(Fault("", f"{message}; see pinn-ntk --help"))


def read(words: Sequence[str]) -> Request:
    """The request in those words.

    Raises:
        BadInputError: unknown flags, or `plugins=` that is not a list of files.
    """
    parser = _Parser(prog="pinn-ntk", add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("-cd", "--config-dir")
    parser.add_argument("-c", "--cfg", choices=SHOW)
    parser.add_argument("-p", "--package")
    for flag in ("--resolve", "--version"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    found = parser.parse_intermixed_args(list(words))
    kept, plugins, resume = [], [], None
    for line in found.overrides:
        key, _, value = line.lstrip("+").partition("=")
        if key == "plugins":
            plugins += _files(value)
        elif key == "resume":
            resume = value.strip("'\"")
        else:
            kept.append(quoted(key, value) if key == "output" else line)
    if resume is not None and found.multirun:
        raise BadInputError(
            Fault("resume", "got a sweep (-m), expected one run; the same sweep again goes on with its jobs")
        )
    return Request(
        tuple(words), tuple(kept), tuple(plugins), found.multirun, found.config_dir,
        found.cfg, found.resolve, found.package, found.help, found.version, resume,
    )  # fmt: skip


def _files(value: str) -> list[str]:
    """Paths are read as they are: Hydra's grammar knows neither spaces nor letters beyond ASCII outside quotes."""
    files = [part.strip(" '\"") for part in value.strip("[] '\"").split(",")]
    if not all(files):
        raise BadInputError(
            Fault("plugins", f"got {value!r}, expected a list of Python files: plugins=[my_problem.py]")
        )
    return files


def quoted(key: str, value: str) -> str:
    """key='value' for a path, unless it is null, quoted already or interpolated."""
    plain = value not in ("", "null") and value[0] not in "'\"" and "${" not in value
    return f"{key}='{value.replace(chr(39), chr(92) + chr(39))}'" if plain else f"{key}={value}"


def _parsed(line: str) -> Override:
    """One override by Hydra's grammar.

    Raises:
        BadInputError: with the quoted form where quotes are what is missing.
    """
    key, equals, value = line.partition("=")
    if not equals and not line.startswith("~"):
        raise BadInputError(Fault("", f"got {line!r}, expected key=value; see pinn-ntk --help"))
    try:
        return OverridesParser.create().parse_overrides([line])[0]
    except (HydraException, RecursionError, ValueError) as error:  # the last: a number of thousands of digits
        inner = value.strip("'\"").replace('"', "'") if len(value) <= 80 else "…"
        remedy = f"quote text with special characters twice: '{key}=\"{inner}\"'"
        raise BadInputError(
            Fault(key.lstrip("+"), f"got {shown(value)}, which cannot be read ({_first_line(error)}); {remedy}")
        ) from None


def _first_line(error: Exception) -> str:
    lines = [
        line
        for line in str(error).splitlines()
        if not line.startswith(("Error parsing override", "See https", "LexerNo"))
    ]
    return lines[0].strip() if lines and lines[0].strip(" ^") else "it is not in Hydra's grammar"


def rewrite(request: Request, groups: Groups, plugins: Tables) -> tuple[list[str], list[Fault]]:
    """Overrides as Hydra shall read them, and what is wrong with them.

    Keys are added by force (`++key=value`): an unknown one then reaches the schema, which lists all of them with the
    nearest names.

    Args:
        request: the command line.
        groups: the options of each group.
        plugins: the tables of a person's own Python, by name.
    """
    lines: list[str] = []
    faults: list[Fault] = []
    chosen = {word.partition("=")[0] for word in request.overrides}
    for word in request.overrides:
        try:
            override = _parsed(word)
            if override.is_sweep_override() and not request.multirun:
                several = f"got several values, {word!r}: sweep over them with -m, or write a list [a,b]"
                raise BadInputError(Fault(override.key_or_group, several))
            lines += _lines(_chosen(override, groups, chosen), groups, plugins)
        except BadInputError as error:
            faults += error.faults
    return lines, faults


def _chosen(override: Override, groups: Groups, chosen: Collection[str]) -> Override:
    """`optimizer.kind=adam` as the choice optimizer=adam, whose keys come with it,
    unless the group is chosen on its own.
    """
    group, _, name = override.key_or_group.partition(".")
    if name != "kind" or group not in groups or group in chosen or override.is_delete():
        return override
    known = all(isinstance(v, str) and v in groups[group] for v in _elements(override))
    return _parsed(f"{group}={str(override.input_line).partition('=')[2]}") if known else override


def _lines(override: Override, groups: Groups, plugins: Tables) -> list[str]:
    name, word = override.key_or_group, str(override.input_line)
    if override.is_delete() or override.is_hydra_override() or override.package is not None or "/" in name:
        return [word]
    if name not in groups:
        return ["++" + word.lstrip("+")]
    chosen = _elements(override)
    options, typed = groups[name], word.partition("=")[2]
    if all(c is None or c in options for c in chosen):
        return [f"{name}={typed}"]
    if name in _BY_NAME and all(isinstance(c, str) for c in chosen):
        return [f"++{name}.name={typed}"]
    table = plugins.get(f"{name.upper()}S", {})
    if name in _BY_KIND and len(chosen) == 1 and isinstance(chosen[0], str) and chosen[0] in table:
        return [f"~{name}", f"++{name}.kind={typed}"]  # the default option goes: its keys are not those of the plugin's
    bad = next(c for c in chosen if c is not None and c not in options)
    remedy = "" if isinstance(bad, str) else f"; its keys are set as {name}.key=value"
    raise BadInputError(Fault(name, unknown(bad if isinstance(bad, str) else typed, [*options, *table]) + remedy))


def _elements(override: Override) -> list[Any]:
    """The values of a choice: one, or those of a sweep."""
    if override.is_sweep_override():
        if not override.is_choice_sweep():
            raise BadInputError(
                Fault(override.key_or_group, f"got {override.input_line!r}, expected names of the group")
            )
        return [_plain(v) for v in override.sweep_iterator()]
    return [_plain(override.value())]


def _plain(value: Any) -> Any:
    return value.text if isinstance(value, QuotedString) else value

"""Completion scripts for bash, zsh and fish, made from the command's own parser: what it takes is said in one place.

The kind of a value follows from its name in the help: DIR a directory, FILE, GLOB and C.toml files, RECIPE the built-in
recipes, S.KEY=VALUE the keys of the configuration.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator

import weft.schemas.config as configuration
from weft.pipeline.arguments import parser

_FILES = {"FILE", "GLOB", "C.toml"}


def script(shell: str) -> str:
    """The completion script for `shell`: bash, zsh or fish."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](_commands())


def _commands() -> dict[str, argparse.ArgumentParser]:
    return next(dict(a.choices) for a in parser()._actions if isinstance(a, argparse._SubParsersAction))


def _keys() -> list[str]:
    sections = [f for f in dataclasses.fields(configuration.Config) if f.default is dataclasses.MISSING]
    return [
        f"{s.name}.{key}=" for s in sections for key in configuration.to_dict(getattr(configuration.Config(), s.name))
    ]


def _words(action: argparse.Action) -> list[str]:
    """What a value can be; empty where that is a file, a directory or anything at all."""
    if action.choices is not None:
        return list(action.choices)
    return {"RECIPE": list(configuration.recipes()), "S.KEY=VALUE": _keys()}.get(str(action.metavar), [])


def _help(action: argparse.Action) -> str:
    return (action.help or "") % vars(action)


def _options(one: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    return ((action.option_strings[-1], action) for action in one._actions if action.option_strings)


def _positional(one: argparse.ArgumentParser) -> argparse.Action | None:
    """What stands without an option's name: a positional, or one more of the values of --input."""
    named = dict(_options(one))
    return next((action for action in one._actions if not action.option_strings), named.get("--input"))


def _bash(commands: dict[str, argparse.ArgumentParser]) -> str:
    def reply(action: argparse.Action | None) -> str:
        if action is None:
            return "_weft_words"
        if action.metavar == "DIR" or action.metavar in _FILES:
            return "_weft_files -d" if action.metavar == "DIR" else "_weft_files -f"
        space = "compopt -o nospace 2>/dev/null; " if action.metavar == "S.KEY=VALUE" else ""
        return f"{space}_weft_words {' '.join(_words(action))}".strip()

    values = {name: reply(a) for one in commands.values() for name, a in _options(one) if a.nargs != 0}
    lines = [
        '_weft_words() { COMPREPLY=($(compgen -W "$*" -- "$word")); }',
        "_weft_files() {",
        "  local IFS=$'\\n'",
        '  compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen "$1" -- "$word"))',
        "}",
        "_weft() {",
        '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
        f"  if ((COMP_CWORD == 1)); then _weft_words {' '.join(commands)} --help --version; return; fi",
        '  case "$before" in',
        *(f"    {name}) {how}; return ;;" for name, how in values.items()),
        "  esac",
        '  case "${COMP_WORDS[1]} $word" in',
        *(f"    {name}\\ -*) _weft_words {' '.join(o for o, _ in _options(one))} ;;" for name, one in commands.items()),
        *(f"    {name}\\ *) {reply(_positional(one))} ;;" for name, one in commands.items()),
        "  esac",
        "}",
        "complete -F _weft weft",
    ]
    return "\n".join(lines)


def _zsh(commands: dict[str, argparse.ArgumentParser]) -> str:
    def told(text: str) -> str:
        return (
            text.replace("\\", "\\\\").replace("'", "'\\''").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
        )

    def value(action: argparse.Action) -> str:
        if action.nargs == 0:
            return ""
        kind = "_files -/" if action.metavar == "DIR" else "_files" if action.metavar in _FILES else ""
        words = _words(action)
        return f":{told(str(action.metavar or action.dest))}:" + (f"({' '.join(words)})" if words else kind)

    def spec(name: str, action: argparse.Action) -> str:
        many = "*" if action.nargs == "+" or isinstance(action, argparse._AppendAction) else ""
        return f"'{many}{name}[{told(_help(action))}]{value(action)}'"

    def take(one: argparse.ArgumentParser) -> str:
        rest = _positional(one)
        return " ".join([*(spec(*option) for option in _options(one)), *([f"'*{value(rest)}'"] if rest else [])])

    named = "\n".join(f"    '{name}:{told(one.description or '')}'" for name, one in commands.items())
    cases = "\n".join(f"    {name}) _arguments {take(one)} ;;" for name, one in commands.items())
    return f"""#compdef weft
_weft() {{
  local -a commands=(
{named}
  )
  if ((CURRENT == 2)); then _describe command commands; compadd -- --help --version; return; fi
  shift words; ((CURRENT--))
  case $words[1] in
{cases}
  esac
}}
if [[ $funcstack[1] == _weft ]]; then _weft "$@"; else compdef _weft weft; fi"""


def _fish(commands: dict[str, argparse.ArgumentParser]) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def value(action: argparse.Action) -> str:
        if action.metavar == "DIR":
            return "-x -a '(__fish_complete_directories)'"
        return "-r -F" if action.metavar in _FILES else f"-x -a {quoted(' '.join(_words(action)))}"

    lines = ["complete -c weft -f", "complete -c weft -n __fish_use_subcommand -l version"]
    for name, one in commands.items():
        here = f"complete -c weft -n '__fish_seen_subcommand_from {name}'"
        lines.append(f"complete -c weft -n __fish_use_subcommand -a {name} -d {quoted(one.description or '')}")
        for option, action in _options(one):
            taken = "" if action.nargs == 0 else f"{value(action)} "
            lines.append(f"{here} -l {option.removeprefix('--')} {taken}-d {quoted(_help(action))}")
        if rest := _positional(one):
            lines.append(f"{here} {value(rest).removeprefix('-r ').removeprefix('-x ')}")
    return "\n".join(lines)

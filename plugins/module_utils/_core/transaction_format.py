# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A business transaction as it is declared in YAML: its parts, and what its schema cannot say about it.

The structure is judged by ``meta/schemas/transaction.schema.json``. ``${...}`` in a value stands for what the JMESPath expression
within finds among the names: those of :data:`NAMES`, the transaction's records, and what earlier calls saved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .shape import wrong_shape

NAMES = ("company", "user", "login", "database", "tag", "prefix", "today", "now", "earlier", "started")
"""What every transaction knows. ``prefix`` begins the tag of every change; ``earlier`` is ten minutes ago."""
WRITES = {"create", "copy", "load", "name_create", "import_data"}
EXPRESSION = re.compile(r"\$\{([^}]*)\}")
FIRST_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True)
class Call:
    """One thing that is asked of a side. ``kind``: call (a model's method), http, session."""

    kind: str
    what: str
    ids: Any = None
    args: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    api: str = ""
    auth: str = "session"
    body: Any = None
    save: Mapping[str, str] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)
    shape: Mapping[str, Any] | None = None
    code: str = ""

    @property
    def model(self) -> str:
        return self.what.rpartition(".")[0]

    @property
    def method(self) -> str:
        return self.what.rpartition(".")[2]


@dataclass(frozen=True)
class Step:
    """``do`` is timed, ``then`` is not. With ``times`` it is done again after ``back`` has brought its rows to where they were."""

    metric: str
    do: tuple[Call, ...]
    then: tuple[Call, ...] = ()
    times: int = 1
    back: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Leftover:
    """Rows that a run which ended in the midst leaves, and what takes them back. ``each``: one after the other, found anew each time."""

    model: str
    domain: Sequence[Any]
    do: tuple[Call, ...]
    each: bool = False


@dataclass(frozen=True)
class Record:
    """A row that the steps work on and never write, known by its id. ``company``: it must be the canary company's own."""

    model: str
    domain: Sequence[Any]
    company: bool = True


@dataclass(frozen=True)
class Transaction:
    """One business transaction."""

    name: str
    title: str
    modules: tuple[str, ...]
    repeat: int
    records: Mapping[str, Record]
    steps: tuple[Step, ...]
    last: tuple[Call, ...]
    leftovers: tuple[Leftover, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(step.metric for step in self.steps)


# -- from YAML -----------------------------------------------------------------------------------------------------------
def call_of(given: Mapping[str, Any]) -> Call:
    kind = next(k for k in ("call", "http", "session") if k in given)
    rest = {k: v for k, v in given.items() if k != kind}
    return Call(kind=kind, what=str(given[kind]), **rest)


def calls_of(given: Any) -> tuple[Call, ...]:
    return tuple(call_of(one) for one in given or ())


def metric_of(transaction: str, step: str) -> str:
    """``invoice.post``; a step that is called as its transaction is all there is to it."""
    return step if step == transaction else f"{transaction}.{step}"


def step_of(name: str, given: Mapping[str, Any]) -> Step:
    metric = metric_of(name, str(given["step"]))
    return Step(metric, calls_of(given["do"]), calls_of(given.get("then")), int(given.get("times", 1)), calls_of(given.get("back")))


def transaction_of(given: Mapping[str, Any]) -> Transaction:
    """A document that has the schema's structure as a transaction."""
    name = str(given["transaction"])
    return Transaction(
        name=name,
        title=str(given["title"]),
        modules=tuple(given.get("modules", ())),
        repeat=int(given.get("repeat", 1)),
        records={k: Record(r["model"], r["domain"], r.get("company", True)) for k, r in given.get("records", {}).items()},
        steps=tuple(step_of(name, one) for one in given["steps"]),
        last=calls_of(given.get("last")),
        leftovers=tuple(
            Leftover(one["model"], one["domain"], calls_of(one["do"]), bool(one.get("each", False))) for one in given.get("leftovers", ())
        ),
    )


def transactions_of(documents: Iterable[Mapping[str, Any]]) -> dict[str, Transaction]:
    return {found.name: found for found in map(transaction_of, documents)}


# -- values --------------------------------------------------------------------------------------------------------------
Search = Callable[[str, Any], Any]


def rendered(value: Any, names: Mapping[str, Any], search: Search) -> Any:
    """The value with its expressions replaced. One that is nothing but an expression keeps the kind of what was found."""
    if isinstance(value, Mapping):
        return {key: rendered(one, names, search) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [rendered(one, names, search) for one in value]
    if not isinstance(value, str):
        return value
    if whole := EXPRESSION.fullmatch(value):
        return search(whole.group(1), names)
    return EXPRESSION.sub(lambda m: str(search(m.group(1), names)), value)


def same(seen: Any, wanted: Any) -> bool:
    """Numbers to half a cent, a reference by its id."""
    if isinstance(wanted, bool) or isinstance(seen, bool):
        return seen is wanted
    if isinstance(wanted, (int, float)) and isinstance(seen, (int, float)):
        return abs(seen - wanted) < 0.005
    if isinstance(wanted, int) and isinstance(seen, (list, tuple)) and seen:
        return bool(seen[0] == wanted)
    return bool(seen == wanted)


def unexpected(answer: Any, call: Call, names: Mapping[str, Any], search: Search) -> str:
    """What is not as it should be in an answer, or nothing."""
    for path, given in call.expect.items():
        wanted, seen = rendered(given, names, search), search(path, answer)
        if not same(seen, wanted):
            return f"{path} is {seen!r}, wanted {wanted!r}"
    return wrong_shape(answer, call.shape) if call.shape is not None else ""


def unknown_transactions(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """One sentence about the names that are of no transaction, or none."""
    unknown = [name for name in names if name not in set(known)]
    told = f"transactions: {', '.join(unknown)} is not known. Known are {', '.join(sorted(known))}; an estate's own need transaction_files."
    return [told] if unknown else []


# -- what a schema cannot say --------------------------------------------------------------------------------------------
def expressions(value: Any) -> Iterator[str]:
    """All expressions in a value."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from expressions(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from expressions(one)
    elif isinstance(value, str):
        yield from EXPRESSION.findall(value)


def unknown_names(value: Any, known: Iterable[str]) -> list[str]:
    firsts = [m.group(1) for text in expressions(value) if (m := FIRST_NAME.match(text))]
    functions = {m.group(1) for text in expressions(value) if (m := re.match(r"\s*([a-z_]+)\(", text))}
    return sorted({name for name in firsts if name not in known and name not in functions})


def walked(calls: Iterable[Call], known: set[str], where: str) -> list[str]:
    """Goes through calls in their order; ``known`` grows by what they save."""
    wrong = []
    for call in calls:
        used = [call.what, call.ids, call.args, call.context, call.body, *call.expect.values()]
        known |= set(call.save)  # an answer is saved before it is held against what is expected
        wrong += [f"{where}: ${{{name}}} is not known there. Known: {', '.join(sorted(known))}." for name in unknown_names(used, known)]
    return wrong


def misused(call: Call, where: str) -> list[str]:
    """What no call may do, wherever it stands."""
    wrong = []
    if "allowed_company_ids" in call.context:
        wrong.append(f"{where}: context.allowed_company_ids is the canary company's alone. Take it out.")
    if call.kind == "call" and not call.model:
        wrong.append(f"{where}: call {call.what!r} names no method. Write model.method, such as account.move.create.")
    if call.kind == "call" and call.method.startswith("_"):
        wrong.append(f"{where}: {call.what} is private, and Odoo refuses it. Call a public method.")
    taken = sorted(set(call.save) & set(NAMES))
    if taken:
        wrong.append(f"{where}: save uses {', '.join(taken)}, which every transaction knows. Choose another name.")
    return wrong


def judge_transaction(found: Transaction) -> list[str]:
    """Everything that is wrong with a transaction whose structure is right, as sentences that say what to write instead."""
    wrong, known = [], {*NAMES}
    for name, record in found.records.items():
        wrong += [f"records.{name}: ${{{n}}} is not known there." for n in unknown_names(record.domain, known)]
        known.add(name)
    metrics = [step.metric for step in found.steps]
    wrong += [f"step {m!r} is there twice. Name each step once." for m in sorted({m for m in metrics if metrics.count(m) > 1})]
    for step in found.steps:
        if step.times > 1 and not step.back:
            wrong.append(
                f"{step.metric}: times is {step.times}, and back is missing. Write the calls that bring its rows to where they were."
            )
        for call in (*step.do, *step.then, *step.back):
            wrong += misused(call, step.metric)
        wrong += walked((*step.do, *step.then, *step.back), known, step.metric)
    wrong += walked(found.last, known, "last")
    every = [call for step in found.steps for call in step.do]
    if any(call.kind == "call" and call.method in WRITES for call in every) and not found.leftovers:
        wrong.append("it creates rows, and leftovers is missing. Write how a run that was killed is taken back.")
    for rule in found.leftovers:
        wrong += leftover_wrong(rule, set(found.records))
    return wrong


def leftover_wrong(rule: Leftover, records: set[str]) -> list[str]:
    """A rule must find by the tag that all changes share: a later run, of another change, takes back what a killed one left."""
    where = f"leftovers of {rule.model}"
    wrong = (
        [] if "${prefix}" in str(rule.domain) else [f"{where}: its domain does not ask for ${{prefix}}, so it would find rows of others."]
    )
    if "${tag}" in str(rule.domain):
        wrong.append(f"{where}: ${{tag}} is this change's alone. Ask for ${{prefix}}, which the tag of every change begins with.")
    known = {*NAMES, *records, "ids", "row"}
    for call in rule.do:
        wrong += misused(call, where)
    return [*wrong, *walked(rule.do, known, where)]

"""One trial: a file is made, Jobdeck reads it, others read it, and each difference has a name or is a finding."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.connectors.readers import differences, ours
from tests.connectors.readers.canon import agree, kind_of, shape_lost
from tests.connectors.readers.differences import Case
from tests.connectors.readers.made import Dialect, Made, Refused, Table
from tests.connectors.readers.mangle import mutated, random_bytes
from tests.connectors.readers.peers import readings, reference
from tests.connectors.readers.writers import FORMATS, NotWritten, expected, written

HOWS = ("written", "mutated", "random")


@dataclass
class Verdict:
    """What came of one file. `finding` says what is wrong, where something is."""

    made: Made
    outcome: str
    named: Counter[str] = field(default_factory=Counter)
    finding: str | None = None


def trial(seed: int, folder: Path, *, format: str | None = None, how: str | None = None) -> Verdict | None:
    """The trial of this seed; None where no tool wrote the file."""
    r = random.Random(seed)
    chosen, kind = r.choice(FORMATS), r.choice(HOWS)
    made = make(r, folder, format or chosen, how or kind)
    return None if made is None else judge(made, r.randint(1, 400))


def make(r: random.Random, folder: Path, format: str, how: str) -> Made | None:
    if how == "random":
        return random_bytes(r, folder, format)
    try:
        made = written(r, folder, format)
    except NotWritten:
        return None
    return made if how == "written" else mutated(r, made)


def judge(made: Made, block: int = 64) -> Verdict:
    """Read the file with everything, and compare."""
    verdict = Verdict(made, "accepted")
    try:
        found = ours.read(made.path, params=made.params)
        _same_in_pieces(made, found, block)
    except ours.Broken as broken:
        verdict.finding = str(broken)
        return verdict
    if isinstance(found, Refused):
        verdict.outcome = "refused"
        if made.how == "written":
            _name(
                verdict,
                Case(made, "", "", said=reference(made), refused=found),
                f"refused: {found.code}: {found.message}",
            )
        return verdict
    if made.how != "written" and "delimiter" in found.dialect:
        made.dialect = Dialect(found.dialect["delimiter"], found.dialect["quote"])
    said = reference(made)
    verdict.finding = shape_lost(found, said) if made.format == "csv" and said is not None else None
    if verdict.finding:
        return verdict
    if made.how == "written":
        _compare_written(verdict, found, said)
    else:
        _compare_any(verdict, found, said)
    return verdict


def _same_in_pieces(made: Made, found: Table | Refused, block: int) -> None:
    """Where text is cut into blocks and parts changes nothing; nor does rejecting where nothing is rejected."""
    again = ours.read(made.path, params=made.params, block=block, part=block)
    rejecting = ours.read(made.path, params={**made.params, "on_bad_row": "reject"})
    if isinstance(found, Refused):
        if not isinstance(again, Refused):
            raise ours.Broken(f"refused as a whole ({found.code}: {found.message}) and read in blocks of {block} bytes")
        return
    for what, other in ((f"blocks of {block} bytes", again), ("on_bad_row=reject", rejecting)):
        if isinstance(other, Refused):
            raise ours.Broken(f"read as a whole, and with {what} refused: {other.code}: {other.message}")
        if (other.names, other.types) != (found.names, found.types):
            raise ours.Broken(f"with {what}: {other.names} {other.types}, else {found.names} {found.types}")
        for name, left, right in zip(found.names, found.columns, other.columns, strict=True):
            if len(left) != len(right) or not all(map(agree, left, right)):
                raise ours.Broken(f"with {what} column {name!r} is {right[:5]}, else {left[:5]}")


def _compare_written(verdict: Verdict, found: Table, said: Table | None) -> None:
    """Against what was given to the tool, where the file keeps it, and against every peer."""
    made = verdict.made
    if made.format == "parquet" and made.tool == "pyarrow":
        given = Table(made.table.column_names, expected(made.table))
        for name, ours_, theirs_ in zip(found.names, found.columns, given.columns, strict=True):
            kinds = kind_of(ours_), kind_of(theirs_)
            if kinds[0] != kinds[1]:
                verdict.finding = f"given: column {name!r} is of {kinds[1]}, ours of {kinds[0]}"
                return
        _compare(verdict, "given", found, given, said)
    for peer, theirs in readings(made):
        if verdict.finding:
            return
        if theirs is None:
            verdict.named[f"{peer} refuses" + (" its own" if peer.split()[0] == made.tool else "")] += 1
        else:
            _compare(verdict, peer, found, theirs, said)


def _compare_any(verdict: Verdict, found: Table, said: Table | None) -> None:
    """Rows as at least one peer reads them, or as argued."""
    read, told = 0, []
    for peer, theirs in readings(verdict.made):
        if theirs is None:
            continue
        read += 1
        one = Verdict(verdict.made, "")
        _compare(one, peer, found, theirs, said)
        if one.finding is None:
            verdict.named += one.named
            return
        told.append(one.finding)
    case = Case(verdict.made, "", "", table=found, said=said)
    _name(verdict, case, f"read ({found.rows} rows of {found.names[:4]}); of {read} peers none agrees: {told[:2]}")


def _compare(verdict: Verdict, peer: str, found: Table, theirs: Table, said: Table | None) -> None:
    made = verdict.made
    case = Case(made, peer, "", table=found, theirs=theirs, said=said)
    order = _order(verdict, case, found, theirs)
    if order is None:
        return
    if found.rows != theirs.rows and theirs.columns and found.columns:
        _name(verdict, case, f"{peer}: {theirs.rows} rows, ours {found.rows}")
        return
    for place, name in enumerate(found.names):
        column = found.columns[place]
        other = theirs.columns[order[place]]
        kinds = kind_of(column), kind_of(other)
        for row, (o, p) in enumerate(zip(column, other, strict=True)):
            if agree(o, p):
                continue
            one = Case(made, peer, name, found, theirs, said, o, p, kinds, row=row, type=found.types[place])
            _name(verdict, one, f"{peer}: column {name!r}, row {row + 1}: {p!r}, ours {o!r} ({one.type})")
            if verdict.finding:
                return


def _order(verdict: Verdict, case: Case, found: Table, theirs: Table) -> list[int] | None:
    """Where each of our columns is among theirs; None where they have others."""
    if len(set(theirs.names)) == len(theirs.names) and sorted(found.names) == sorted(theirs.names):
        return [theirs.names.index(name) for name in found.names]
    if len(found.names) == len(theirs.names):
        names = zip(found.names, theirs.names, strict=True)
        other = [replace(case, column=o, value=p, place=i) for i, (o, p) in enumerate(names) if o != p]
        argued = [next((d.name for d in differences.NAMES if d.applies(one)), None) for one in other]
        if None not in argued:
            verdict.named.update(name for name in argued if name)
            return list(range(len(found.names)))
    _name(verdict, case, f"{case.peer}: names {theirs.names}, ours {found.names}")
    return None


def _name(verdict: Verdict, case: Case, told: str) -> None:
    """The first entry that applies; a finding where there is none."""
    for difference in differences.ALL:
        if difference.applies(case):
            verdict.named[difference.name] += 1
            return
    verdict.finding = told


def shrunk(made: Made, still: Callable[[Made], bool]) -> bytes:
    """The smallest content found by cutting pieces out for which `still` holds."""
    data = made.path.read_bytes()
    size = max(1, len(data) // 2)
    while size:
        at, less = 0, False
        while at < len(data):
            shorter = data[:at] + data[at + size :]
            made.path.write_bytes(shorter)
            if still(made):
                data, less = shorter, True
            else:
                at += size
        size = size if less and size == 1 else size // 2
    made.path.write_bytes(data)
    return data

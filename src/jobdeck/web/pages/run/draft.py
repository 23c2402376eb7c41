"""A job in the making: its form as it was sent or begun, and the requests that come of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from jobdeck.core.errors import InvalidInput, JobdeckError
from jobdeck.services.jobs import differences
from jobdeck.services.masking import MASK, unmasked
from jobdeck.web.forms.draft import DraftNode
from jobdeck.web.forms.faults import place
from jobdeck.web.forms.filling import fill, pretty
from jobdeck.web.forms.reading import Sent, read
from jobdeck.web.forms.schema import MISSING, FormSchema, same
from jobdeck.web.forms.values import strict_json, value_of
from jobdeck.web.pages.run import options as run_options
from jobdeck.wire.admin import Configuration, TypeInfo
from jobdeck.wire.jobs import Job
from jobdeck.wire.plans import Change

PATH: Final = "p"
Mode = Literal["form", "json"]
_EMPTY: Final[dict[str, Any]] = {"list": [], "map": {}, "object": {}}


@dataclass(frozen=True, slots=True)
class Origin:
    """What the form is for, and where its first values come from."""

    type: TypeInfo
    project: str | None
    source: Job | None = None
    configuration: Configuration | None = None

    @property
    def before(self) -> dict[str, Any] | None:
        """The parameters that the new ones are laid over, secrets masked."""
        found = self.source or self.configuration
        return found.params if found is not None else None


@dataclass(frozen=True, slots=True)
class Complaint:
    """A line of the summary of what is wrong; `target` is the id of the field at fault, if it is one."""

    text: str
    label: str = ""
    target: str | None = None


@dataclass(slots=True)
class RunDraft:
    """The form of one job."""

    origin: Origin
    form: FormSchema
    root: DraftNode
    options_form: FormSchema
    options: DraftNode
    mode: Mode = "form"
    json: str = ""
    json_error: str = ""
    key: str = field(default_factory=lambda: secrets.token_hex(12))
    general: list[str] = field(default_factory=list)
    """What is wrong and belongs to no field."""

    @classmethod
    def begin(cls, origin: Origin, params: Mapping[str, Any]) -> RunDraft:
        """The form with its first values."""
        form, options = FormSchema(origin.type.params_schema), run_options.options_form(origin.source)
        given = run_options.options_of(origin.source)
        return cls(origin, form, fill(form, params, PATH), options, fill(options, given, run_options.PATH))

    @classmethod
    def sent(cls, origin: Origin, sent: Sent) -> RunDraft:
        """The form as a browser sent it."""
        form, options = FormSchema(origin.type.params_schema), run_options.options_form(origin.source)
        mode: Mode = "json" if sent.get("mode") == "json" else "form"
        draft = cls(origin, form, read(form, sent, PATH), options, read(options, sent, run_options.PATH), mode)
        draft.json = sent.get("json")
        draft.key = sent.get("key")[:64] or draft.key
        return draft

    def params(self) -> dict[str, Any]:
        """The parameters; faults are noted at their places."""
        if self.mode == "form":
            found: dict[str, Any] = value_of(self.root)
            return found
        try:
            value = strict_json(self.json or "{}")
            if not isinstance(value, dict):
                raise ValueError("Parameters are an object: names and values in braces.")  # noqa: TRY004
            plain, masked = self._plain()
            return dict(unmasked(value, plain, masked))
        except (ValueError, InvalidInput) as error:
            self.json_error = error.message if isinstance(error, InvalidInput) else str(error)
            return {}

    def _plain(self) -> tuple[Any, Any]:
        """What the fields hold, with and without secrets; without saying what is wrong with it."""
        found = value_of(self.root), value_of(self.root, masked=True)
        for node in self.root.walk():
            node.errors.clear()
        return found

    def switch(self, mode: Mode) -> None:
        """Show the same as JSON, or as a form again. JSON that cannot be read stays where it is."""
        if mode == "json" and self.mode == "form":
            self.json, self.mode = pretty(self._plain()[1]), "json"
        elif mode == "form" and self.mode == "json":
            params = self.params()
            if self.json_error:
                return
            if not same(params, self._plain()[0]):
                keys = {n.path: [row.key for row in n.rows] for n in self.root.walk() if n.kind == "list"}
                self.root = fill(self.form, params, PATH, keys)
            self.mode = "form"

    def wanted(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The parameters to send, and the options. What is wrong is in `complaints` then."""
        params, options = self.params(), value_of(self.options)
        before, saved = self.origin.before, self.origin.configuration
        if saved is not None and before is not None and not self.complaints:
            params = {**params, **self._taken_out(before, params)}
            params = {k: v for k, v in params.items() if k not in before or not same(v, before[k])}
        if before is None and _has_mask(params):
            self.general.append(f"A secret stands as {MASK}, and there is none that it could mean: write it.")
        return params, options

    def _taken_out(self, before: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
        """What was saved before and is left out now: parameters are laid over those of a configuration, so that it
        takes a value to take one back."""
        shape = self.root.shape
        fields = {f.name: f for f in self.form.properties(shape)} if shape else {}
        found: dict[str, Any] = {}
        for name in before.keys() - params.keys():
            of = fields.get(name)
            empty: Any = _EMPTY.get(of.shapes[0].kind, MISSING) if of else MISSING
            value = of.default if of and of.default is not MISSING else None if of and of.nullable else empty
            if value is MISSING:
                self.general.append(f"{name} cannot be taken back: it has no default. Give it a value.")
            else:
                found[name] = value
        return found

    def changes(self) -> list[Change]:
        """How the parameters differ from those before; a secret that was typed is a change."""
        before = self.origin.before or {}
        params = self.params()
        if self.origin.configuration is not None:
            params = {**params, **self._taken_out(before, params)}
        shown = {**params, **self._shown(params)}
        for node in (*self.root.walk(), *self.options.walk()):
            node.errors.clear()
        return [c for c in differences.changes(before, params, before, shown) if not _says_the_same(c)]

    def _shown(self, params: dict[str, Any]) -> dict[str, Any]:
        if self.mode == "form":
            masked: dict[str, Any] = value_of(self.root, masked=True)
            return masked
        written = strict_json(self.json or "{}")
        return written if isinstance(written, dict) and params else {}

    def refuse(self, error: JobdeckError) -> None:
        """Take in what the server says is wrong, each fault at its field."""
        listed = error.facts.get("errors")
        if isinstance(listed, list) and listed:
            faults = [(str(one["field"]), str(one["message"])) for one in listed if isinstance(one, dict)]
        else:
            faults = [(error.field or "", f"{error.message} {error.hint or ''}".strip())]
        self.blame(faults)

    def blame(self, faults: list[tuple[str, str]]) -> None:
        """Put faults (path and text) at their fields."""
        of_params = [one for one in faults if one[0].startswith("params")]
        others = [one for one in faults if not one[0].startswith("params")]
        if self.mode == "json":
            left = [(path.removeprefix("params."), text) for path, text in of_params]
            self.general.extend(f"{path}: {text}" for path, text in left)
        else:
            self.general.extend(text for _, text in place(self.root, of_params, "params"))
        self.general.extend(text for _, text in place(self.options, others, ""))

    @property
    def complaints(self) -> list[Complaint]:
        """All that is wrong, in the order of the page."""
        found = [Complaint(text) for text in self.general]
        if self.json_error:
            found.append(Complaint(self.json_error, "JSON", "f-json"))
        nodes = (*(self.root.walk() if self.mode == "form" else ()), *self.options.walk())
        names = _labels(self.root, "") | _labels(self.options, "")
        return found + [Complaint(text, names[node.path], node.id) for node in nodes for text in node.errors]


def _has_mask(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_mask, value.values()))
    return any(map(_has_mask, value)) if isinstance(value, list) else bool(value == MASK)


def _labels(node: DraftNode, name: str) -> dict[str, str]:
    """What every place is called in the summary: `Files 2`, `Csv: Delimiter`."""
    found = {node.path: name}
    for number, row in enumerate(node.rows, 1):
        own = row.node.field.label or row.name or str(number)
        found |= _labels(row.node, f"{name} {own}" if node.kind == "list" else f"{name}: {own}" if name else own)
    if node.rest is not None:
        found[node.rest.path] = node.rest.field.label
    return found


def _says_the_same(change: Change) -> bool:
    """A default that is written out is no change to speak of where the old value is equal."""
    return change.kind == "changed" and same(change.old, change.new) and change.old != MASK

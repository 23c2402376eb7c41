"""Secrets in parameters are never shown, and sealed where they are stored: fields that a type's schema marks as
passwords or write-only, texts whose name tells that they are secret, and the variables of programs. Where what uses
them changes, they are typed again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jobdeck.access.vault import Vault
from jobdeck.core import secrecy
from jobdeck.core.errors import InvalidInput, Unavailable
from jobdeck.core.identity.sealed import Stored
from jobdeck.core.registry import TypeRegistry

MASK = secrecy.MASK
_ENVIRONMENTS = ("env", "environment")
"""Names of objects whose values are variables of a program: their names are shown, their values are not."""
_DEEPEST = 50


class Masker:
    """Masks the parameters of jobs by type. The schemas of types do not change while the server runs."""

    def __init__(self, registry: TypeRegistry) -> None:
        self._registry = registry
        self._schemas: dict[str, Mapping[str, Any] | None] = {}
        self._marks: dict[str, bool] = {}
        """Whether a type's schema marks any field."""

    def mask(self, type_name: str, params: Any) -> Any:
        """`params` with secrets replaced. A type that is gone has no schema: there, names tell."""
        if type_name not in self._schemas:
            found = self._registry.find(type_name)
            self._schemas[type_name] = found.params_schema() if found else None
            self._marks[type_name] = _has_secrets(self._schemas[type_name] or {})
        schema = self._schemas[type_name]
        if schema is None:
            return mask_by_name(params, 0)
        return _mask_sounding(_mask(params, schema, schema, 0) if self._marks[type_name] else params, 0)


def secret_names(schema: Mapping[str, Any]) -> str:
    """A regular expression, for scripts as well: fields with such a name, in whatever case, hold secrets."""
    marked = sorted({re.escape(name) for name in _marked(schema, schema)})
    return "|".join([secrecy.TELLING, *(f"^(?:{name})$" for name in (*_ENVIRONMENTS, *marked))])


def _marked(part: Any, root: Mapping[str, Any]) -> Iterator[str]:
    """Names of fields that a schema marks as secret, or in which it marks something."""
    if isinstance(part, Mapping):
        fields = part.get("properties")
        for name, field in fields.items() if isinstance(fields, Mapping) else ():
            if isinstance(field, Mapping) and _has_secrets(_resolved(field, root)):
                yield name
        part = list(part.values())
    for inner in part if isinstance(part, list) else ():
        yield from _marked(inner, root)


def unmasked(value: Any, plain: Any, masked: Any) -> Any:
    """`value` as it was meant by one who was shown `masked` for `plain`: a mask where a mask was is the secret there.

    Raises InvalidInput for a mask elsewhere, as in a list that got longer: nobody knows which secret it stands for."""
    if value == MASK and masked == MASK:
        return plain
    if isinstance(value, dict):
        known = plain if isinstance(plain, dict) and isinstance(masked, dict) else {}
        return {k: unmasked(v, known.get(k), masked[k] if k in known else None) for k, v in value.items()}
    if isinstance(value, list):
        known_items = isinstance(plain, list) and isinstance(masked, list) and len(plain) == len(value)
        pairs = zip(plain, masked, strict=True) if known_items else [(None, None)] * len(value)
        return [unmasked(v, *pair) for v, pair in zip(value, pairs, strict=True)]
    if value == MASK:
        raise InvalidInput(
            "A secret is masked where it cannot be known which one is meant.",
            field="params",
            hint=f"Write the secret itself instead of {MASK}.",
        )
    return value


def _has_secrets(schema: Mapping[str, Any]) -> bool:
    text = repr(schema)
    return "writeOnly" in text or "'password'" in text


def _mask(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    if depth > _DEEPEST:
        return MASK
    schema = _resolved(schema, root)
    if value is not None and (schema.get("writeOnly") or schema.get("format") == "password"):
        return MASK
    for choice in (*schema.get("anyOf", ()), *schema.get("allOf", ()), *schema.get("oneOf", ())):
        value = _mask(value, choice, root, depth + 1)
    if isinstance(value, dict):
        return {k: _masked_by(_schemas_of(k, schema), v, root, depth) for k, v in value.items()}
    if isinstance(value, list):
        first = schema.get("prefixItems", ())
        rest = schema.get("items")
        return [_masked_by([first[i] if i < len(first) else rest], v, root, depth) for i, v in enumerate(value)]
    return value


def _masked_by(schemas: Iterable[Any], value: Any, root: Mapping[str, Any], depth: int) -> Any:
    """`value` as all of `schemas` want it shown; a schema may also be a boolean, or missing."""
    for schema in schemas:
        value = _mask(value, schema, root, depth + 1) if isinstance(schema, dict) else value
    return value


def _schemas_of(name: str, schema: Mapping[str, Any]) -> list[Any]:
    """The schemas that say something about the field `name` of an object."""
    fields, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    found = [fields[name]] if name in fields else []
    found += [of for pattern, of in patterns.items() if _matches(pattern, name)]
    return found or [schema.get("additionalProperties")]


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return True  # a pattern of another dialect: what may be a secret is not shown


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    if not reference.startswith("#/$defs/"):
        return schema
    return {
        **root.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {}),
        **{k: v for k, v in schema.items() if k != "$ref"},
    }


def _mask_sounding(value: Any, depth: int, secret: bool = False) -> Any:
    """`value` with the texts replaced whose name, or that of what they lie in, sounds secret. Where a schema says what
    is there, a number of such a name is a count (`max_tokens`)."""
    if depth > _DEEPEST:
        return MASK
    if isinstance(value, dict):
        inside = {k: secret or secrecy.sounds_secret(k) or k.lower() in _ENVIRONMENTS for k in value}
        return {k: _mask_sounding(v, depth + 1, inside[k]) for k, v in value.items()}
    if isinstance(value, list):
        return [_mask_sounding(item, depth + 1, secret) for item in value]
    return MASK if secret and isinstance(value, str) and value else value


def mask_by_name(value: Any, depth: int = 0) -> Any:
    """`value` with everything replaced whose name tells that it is a secret."""
    if depth > _DEEPEST:
        return MASK
    if isinstance(value, dict):
        return {k: _mask_named(k, v, depth) for k, v in value.items()}
    return [mask_by_name(item, depth + 1) for item in value] if isinstance(value, list) else value


def _mask_named(name: str, value: Any, depth: int) -> Any:
    if value is not None and secrecy.sounds_secret(name):
        return MASK
    if isinstance(value, dict) and name.lower() in _ENVIRONMENTS:
        return {k: None if v is None else MASK for k, v in value.items()}
    return mask_by_name(value, depth + 1)


Place = tuple[str | int, ...]
"""Where a value lies in parameters: names and positions from the top."""


class SecretNeededAgain(InvalidInput, code="secret_needed_again"):
    """A masked secret was kept while what uses it changes; it has to be typed again."""


class ParamVault:
    """Seals what is masked. A box opens only among parameters of the project for which it was made."""

    def __init__(self, masker: Masker, vault: Vault | None) -> None:
        self._masker = masker
        self._vault = vault

    def seal(self, type_name: str, project_id: int, params: Mapping[str, Any], typed_by: int) -> Stored:
        """Raises Unavailable where there are secrets and no key."""
        plain = dict(params)
        shown = self._masker.mask(type_name, plain)
        found = [[list(place), value] for place, value in _hidden(plain, shown)]
        if not found:
            return Stored(plain, None)
        return Stored(shown, self._key().seal({"by": typed_by, "at": found}, _key_place(project_id)))

    def open(self, project_id: int, params: dict[str, Any], box: str | None) -> dict[str, Any]:
        """Raises SecretsUnreadable."""
        if box is None:
            return params
        for place, value in self._key().open(box, _key_place(project_id))["at"]:
            params = _put(params, tuple(place), value)
        return params

    def typed_by(self, project_id: int, box: str | None) -> int | None:
        """The principal who typed the secrets, who may use them as they like."""
        return None if box is None else self._key().open(box, _key_place(project_id))["by"]

    def kept(
        self, type_name: str, project_id: int, before: Mapping[str, Any], box: str | None, *, typed: Any,
        wanted: Mapping[str, Any], principal_id: int,
    ) -> int:  # fmt: skip
        """The principal who knows the secrets of `wanted`, which came of `before` and of what was `typed` over it.

        Raises SecretNeededAgain where a secret of somebody else is kept although anything else differs: whoever may
        not see a secret must not have it sent elsewhere either."""
        plain = dict(before)
        secret = [place for place, _ in _hidden(plain, self._masker.mask(type_name, plain))]
        kept = [p for p in secret if _at(typed, p) in (None, MASK) and _at(wanted, p) == _at(plain, p)]
        if not kept:
            return principal_id
        owner = self.typed_by(project_id, box)
        if owner == principal_id or dict(wanted) == plain:
            return owner if owner is not None else principal_id
        names = [_named(place) for place in kept]
        raise SecretNeededAgain(
            f"Other parameters change, so the secret {names[0][:200]} has to be typed again"
            + (f", and {len(names) - 1} more." if len(names) > 1 else "."),
            field=names[0][:300],
            hint="Write the secrets themselves, or change nothing else. Only who typed them may keep them masked.",
            secrets=names[:100],
        )

    def _key(self) -> Vault:
        if self._vault is None:
            raise Unavailable("This process has no key to keep secrets with.", hint="Set JOBDECK_SECRET_KEY.")
        return self._vault


def _key_place(project_id: int) -> str:
    return f"params:{project_id}"


def _hidden(plain: Any, masked: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """The values that have a mask in `masked`, which is `plain` with masks, and their places."""
    if masked == MASK and plain != MASK:
        yield place, plain
    elif isinstance(plain, dict) and isinstance(masked, dict):
        for name, value in plain.items():
            yield from _hidden(value, masked.get(name), (*place, name))
    elif isinstance(plain, list) and isinstance(masked, list):
        for index, (value, shown) in enumerate(zip(plain, masked, strict=True)):
            yield from _hidden(value, shown, (*place, index))


def _put(params: Any, place: Place, value: Any) -> Any:
    """`params` with `value` at `place`; the original stays as it is. What is no longer there stays away."""
    if not place:
        return value
    first, *rest = place
    try:
        changed = dict(params) if isinstance(params, dict) else list(params)
        changed[first] = _put(params[first], tuple(rest), value)  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        return params
    return changed


def _at(params: Any, place: Place) -> Any:
    """The value at `place`; None where there is nothing."""
    for step in place:
        try:
            params = params[step]
        except (KeyError, IndexError, TypeError):
            return None
    return params


def _named(place: Place) -> str:
    """`params.env.TOKEN`, as messages name it."""
    return "params" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)

"""Secrets in parameters: fields that a type's schema marks as passwords or write-only are never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jobdeck.core.errors import InvalidInput
from jobdeck.core.registry import TypeRegistry

MASK = "********"
_TELLING = re.compile(r"password|passwd|secret|token|api_?key|credential", re.IGNORECASE)
_DEEPEST = 50


class Masker:
    """Masks the parameters of jobs by type. The schemas of types do not change while the server runs."""

    def __init__(self, registry: TypeRegistry) -> None:
        self._registry = registry
        self._schemas: dict[str, Mapping[str, Any] | None] = {}

    def mask(self, type_name: str, params: Any) -> Any:
        """`params` with secrets replaced. A type that is gone has no schema: there, names tell."""
        if type_name not in self._schemas:
            found = self._registry.find(type_name)
            self._schemas[type_name] = found.params_schema() if found else None
        schema = self._schemas[type_name]
        if schema is None:
            return mask_by_name(params, 0)
        return _mask(params, schema, schema, 0) if _has_secrets(schema) else params


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
        fields, others = schema.get("properties", {}), schema.get("additionalProperties")
        return {k: _mask_field(k, v, fields, others, root, depth) for k, v in value.items()}
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_mask(item, schema["items"], root, depth + 1) for item in value]
    return value


def _mask_field(
    name: str, value: Any, fields: Mapping[str, Any], others: Any, root: Mapping[str, Any], depth: int
) -> Any:
    schema = fields.get(name, others)
    return _mask(value, schema, root, depth + 1) if isinstance(schema, dict) else value


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    if not reference.startswith("#/$defs/"):
        return schema
    return {
        **root.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {}),
        **{k: v for k, v in schema.items() if k != "$ref"},
    }


def mask_by_name(value: Any, depth: int = 0) -> Any:
    """`value` with everything replaced whose name tells that it is a secret."""
    if depth > _DEEPEST:
        return MASK
    if isinstance(value, dict):
        return {
            k: MASK if _TELLING.search(k) and v is not None else mask_by_name(v, depth + 1) for k, v in value.items()
        }
    return [mask_by_name(item, depth + 1) for item in value] if isinstance(value, list) else value

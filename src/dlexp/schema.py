"""Typed configuration: plain values in, checked objects out, one clear line when they do not fit.

A dataclass or a function signature *is* the schema. Ranges are written in the annotation
(`Annotated[int, Field(ge=1)]`), so nothing about a parameter is kept in two places.
"""

import functools
import importlib
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from dlexp.errors import InputError, nearest

T = TypeVar("T")

ALLOWED_TARGETS = ("dlexp.", "torch.nn.", "torch.optim.")
"""A `_target_` outside these namespaces is refused: a YAML file must not be able to run just anything."""


def instantiate(node: Mapping[str, Any], /, *args: Any, where: str = "config", **extra: Any) -> Any:
    """Call the `_target_` of `node` with `args`, the node's other keys and `extra`.

    Nested mappings that have a `_target_` are instantiated first; `_partial_: true` returns a
    `functools.partial` instead of calling. `where` is the node's dotted path, for error messages.

    Raises:
        InputError: the target is not allowed or does not exist, a key is unknown, a value has the wrong
            type or is out of range, or the target itself refuses its arguments.
    """
    target = node.get("_target_")
    if not isinstance(target, str):
        raise InputError(f"{where}: there is no _target_ to call")
    function = locate(target, where)
    options = {str(key): value for key, value in node.items() if key not in ("_target_", "_partial_")}
    for key, value in options.items():
        if isinstance(value, Mapping) and "_target_" in value:
            options[key] = instantiate(value, where=dotted(where, key))
    options = check_arguments(function, options, where, strict=target.startswith("dlexp."))
    if node.get("_partial_"):
        return functools.partial(function, *args, **options, **extra)
    try:
        return function(*args, **options, **extra)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {target.rpartition('.')[2]} refuses its settings: {error}") from error


def locate(target: str, where: str = "config") -> Callable[..., Any]:
    """The callable behind a dotted name; the part after the module may be a class or a function."""
    if not target.startswith(ALLOWED_TARGETS) or any(part.startswith("_") for part in target.split(".")):
        allowed = ", ".join(f"{prefix}*" for prefix in ALLOWED_TARGETS)
        raise InputError(f"{where}: _target_ '{target}' is not allowed; it must be one of {allowed}")
    module_name, _, name = target.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise InputError(f"{where}: _target_ '{target}' does not exist: {error}") from error
    found = getattr(module, name, None)
    if not callable(found):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise InputError(f"{where}: _target_ '{target}' does not exist; {nearest(name, public)}")
    return typing.cast(Callable[..., Any], found)


def check_arguments(
    function: Callable[..., Any], options: Mapping[str, Any], where: str, strict: bool = True
) -> dict[str, Any]:
    """`options` with the types and ranges that the signature of `function` asks for.

    Only the given options are checked: what a caller passes at run time may still be missing.
    """
    parameters = inspect.signature(function).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        refuse_unknown(options, parameters, where)
    try:
        source = function.__init__ if inspect.isclass(function) else function
        hints = typing.get_type_hints(source, include_extras=True)
    except (NameError, TypeError):  # names that only a type checker sees
        hints = {}
    return {
        key: convert(value, hints[key], dotted(where, key), strict) if key in hints else value
        for key, value in options.items()
    }


def build_params(cls: type[T], values: Mapping[str, Any], where: str = "params") -> T:
    """An instance of the dataclass `cls` from plain `values`: every field present, known and in range."""
    hints = typing.get_type_hints(cls, include_extras=True)
    refuse_unknown(values, hints, where)
    checked = {key: convert(value, hints[key], dotted(where, key)) for key, value in values.items()}
    try:
        return cls(**checked)
    except TypeError as error:  # a field without a value
        raise InputError(f"{where}: {str(error).partition('() ')[2] or error}") from error
    except ValueError as error:  # a __post_init__ that relates two fields
        raise InputError(f"{where}: {error}") from error


def dotted(where: str, key: str) -> str:
    """The key's whole name; `where` is empty at the root of the configuration."""
    return f"{where}.{key}" if where else key


def refuse_unknown(given: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    """Raise InputError for the first key of `given` that is not in `known`, with the nearest valid one."""
    for key in given:
        if key not in known:
            raise InputError(f"{dotted(where, key)}: there is no such key; {nearest(key, known)}")


def convert(value: Any, annotation: Any, where: str, strict: bool = True) -> Any:
    """`value` as `annotation` asks (pydantic's rules; `strict` refuses '3' for an int), else InputError."""
    try:
        return _adapter(annotation).validate_python(value, strict=strict)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([where, *(str(part) for part in first["loc"] if isinstance(part, int))])
        message = first["msg"][:1].lower() + first["msg"][1:]
        raise InputError(f"{place}={value!r}: {message}") from error
    except (PydanticSchemaGenerationError, PydanticUserError):  # an annotation pydantic has no rules for
        return value


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # a type that brings its own configuration (dataclass, model)
        return TypeAdapter(annotation)

"""Typed configuration: plain values in, checked objects out, one clear line when they do not fit.

A dataclass or a function signature *is* the schema. Ranges are written in the annotation
(`Annotated[int, Field(ge=1)]`), so nothing about a parameter is kept in two places.
"""

import dataclasses
import functools
import importlib
import inspect
import json
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from dlexp.errors import InputError, nearest
from dlexp.own_code import is_own, locate_own

T = TypeVar("T")

ALLOWED_TARGETS = ("dlexp.data.", "dlexp.models.", "dlexp.training.", "torch.nn.", "torch.optim.")
"""A `_target_` outside these namespaces is refused: a YAML file must not be able to run just anything."""

REFUSALS = (TypeError, ValueError, RuntimeError, AssertionError)
"""What a target raises when its arguments do not fit each other (torch raises all four)."""


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
    strict = target.startswith("dlexp.") or is_own(target)
    options = check_arguments(function, options, where, strict=strict, given=len(args))
    if node.get("_partial_"):
        return functools.partial(function, *args, **options, **extra)
    _refuse_missing(function, len(args), [*options, *extra], where)
    try:
        return function(*args, **options, **extra)
    except REFUSALS as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{where}: {target.rpartition('.')[2]} refuses its settings: {reason}") from error


def locate(target: str, where: str = "config") -> Callable[..., Any]:
    """The callable behind a dotted name; the part after the module may be a class or a function.

    It must also be *defined* in an allowed namespace: what a module merely imports is not its own. The user's own
    files and installed plugins are allowed as well (see `dlexp.own_code`).

    Raises:
        InputError: the name is not allowed, or there is no such callable.
    """
    if not any(part.startswith("_") for part in target.split(".")) and is_own(target):
        return locate_own(target, where)
    if not target.startswith(ALLOWED_TARGETS) or any(part.startswith("_") for part in target.split(".")):
        allowed = ", ".join(f"{prefix}*" for prefix in ALLOWED_TARGETS)
        own = "experiments.FILE.NAME for NAME in ./experiments/FILE.py"
        raise InputError(f"{where}: _target_ '{target}' is not allowed; it must be one of {allowed}, or {own}")
    module_name, _, name = target.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise InputError(f"{where}: _target_ '{target}' does not exist: {error}") from error
    found = getattr(module, name, None)
    if not callable(found) or not _defined_within(found, target):
        public = [
            key
            for key, value in vars(module).items()
            if callable(value) and not key.startswith("_") and _defined_within(value, target)
        ]
        raise InputError(f"{where}: _target_ '{target}' does not exist; {nearest(name, public)}")
    return typing.cast(Callable[..., Any], found)


def _defined_within(found: Any, target: str) -> bool:
    """Whether the callable comes from the package that `target` names (torch's built-in ones have no module)."""
    package = str(getattr(found, "__module__", None) or target).partition(".")[0]
    return package == target.partition(".")[0]


def check_arguments(
    function: Callable[..., Any], options: Mapping[str, Any], where: str, strict: bool = True, given: int = 0
) -> dict[str, Any]:
    """`options` with the types and ranges that the signature of `function` asks for.

    Only these options are checked: what a caller passes at run time may still be missing. The first `given`
    parameters are the caller's own and cannot be set.
    """
    parameters = _parameters(function)
    if parameters is None:
        return dict(options)
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        refuse_unknown(options, list(parameters)[given:], where)
    try:
        source = function.__init__ if inspect.isclass(function) else function
        hints = typing.get_type_hints(source, include_extras=True)
    except (NameError, TypeError):  # names that only a type checker sees
        hints = {}
    return {
        key: convert(value, hints[key], dotted(where, key), strict) if key in hints else value
        for key, value in options.items()
    }


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    """The parameters of `function`; None where it has no signature (some of torch's built-in functions)."""
    try:
        return inspect.signature(function).parameters
    except ValueError:
        return None


def _refuse_missing(function: Callable[..., Any], given: int, named: Iterable[str], where: str) -> None:
    """Raise InputError for the first required parameter without a value."""
    named = set(named)
    for key, parameter in list((_parameters(function) or {}).items())[given:]:
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and not variadic and key not in named:
            raise InputError(f"{dotted(where, key)}: it has no value; say {dotted(where, key)}=...")


def build_params(cls: type[T], values: Mapping[str, Any], where: str = "params") -> T:
    """An instance of the dataclass `cls` from plain `values`: every field present, known and in range.

    Raises:
        InputError: `values` is not a mapping, a key is unknown or missing, a value has the wrong type or is
            out of range, or `__post_init__` refuses values that do not fit each other.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where}={shown(values)}: must hold keys, as {where}.KEY=VALUE")
    hints = typing.get_type_hints(cls, include_extras=True)
    refuse_unknown(values, hints, where)
    checked = {key: convert(value, hints[key], dotted(where, key)) for key, value in values.items()}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and field.name not in values:
            raise InputError(f"{dotted(where, field.name)}: it has no value; say {dotted(where, field.name)}=...")
    try:
        return cls(**checked)
    except ValueError as error:  # a __post_init__ that relates two fields
        raise InputError(f"{where}: {error}" if where else str(error)) from error


def dotted(where: str, key: str) -> str:
    """The key's whole name; `where` is empty at the root of the configuration."""
    return f"{where}.{key}" if where else key


def shown(value: Any) -> str:
    """A value as one writes it in YAML."""
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)


def refuse_unknown(given: Iterable[Any], known: Iterable[str], where: str) -> None:
    """Raise InputError for the first key of `given` that is not in `known`, with the nearest valid one."""
    known = list(known)
    for key in given:
        if key not in known:
            raise InputError(f"{dotted(where, str(key))}: there is no such key; {nearest(str(key), known)}")


def convert(value: Any, annotation: Any, where: str, strict: bool = True) -> Any:
    """`value` as `annotation` asks (pydantic's rules; `strict` refuses '3' for an int), else InputError."""
    try:
        return _validate(value, annotation, strict)
    except ValidationError as error:
        # Of a union, the cases that plain values can have.
        errors = [each for each in error.errors() if each["type"] != "is_instance_of"] or error.errors()
        place, wrong = _faulty_part(value, errors[0]["loc"])
        said = [each["msg"][:1].lower() + each["msg"][1:] for each in errors]
        wants = " or ".join(dict.fromkeys(said if len(place) == 0 else said[:1]))
        raise InputError(f"{'.'.join([where, *place])}={shown(wrong)}: {wants}") from error
    except (PydanticSchemaGenerationError, PydanticUserError):  # an annotation pydantic has no rules for
        return value


def _validate(value: Any, annotation: Any, strict: bool) -> Any:
    adapter = _adapter(annotation)
    try:
        return adapter.validate_python(value, strict=strict)
    except ValidationError as error:
        if not any(each["type"] == "tuple_type" for each in error.errors()):
            raise
        # YAML has no tuples: its lists stand for them, as JSON's do.
        return adapter.validate_json(json.dumps(value, default=repr), strict=strict)


def _faulty_part(value: Any, location: Sequence[int | str]) -> tuple[list[str], Any]:
    """Follow pydantic's `location` into `value`; it also names the cases of unions, which are no keys."""
    place: list[str] = []
    for part in location:
        inside = isinstance(value, Mapping) and part in value
        if inside or (isinstance(value, list) and isinstance(part, int)):
            place.append(str(part))
            value = value[part]
    return place, value


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # a type that brings its own configuration (dataclass, model)
        return TypeAdapter(annotation)

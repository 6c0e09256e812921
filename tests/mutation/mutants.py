"""The mutants of a module: one small change each, as an edit of its source text."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_TRANSLATED = {"_", "gettext", "gettext_lazy", "ngettext", "pgettext", "pgettext_lazy"}
_LOGGING = {"debug", "info", "warning", "error", "exception"}
_LOGGING_SELDOM = {"once_a_minute", "_warn", "_log_failure"}
_NAMING = {"TypeVar", "getLogger"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change.

    Attributes:
        module: its path below the package.
        scope: the function or class it is in, dotted.
        line, start, end: where it is: the first line, and the bytes from and to.
        before, after: the text.
        number: counts changes of one scope that read the same.
    """

    module: str
    scope: str
    line: int
    start: int
    end: int
    before: str
    after: str
    number: int = 1

    @property
    def name(self) -> str:
        """What it is called in ``equivalent.toml``: no line number, so that an edit elsewhere does not rename it."""
        again = f" ({self.number})" if self.number > 1 else ""
        return f"{self.module} {self.scope or '<module>'}: {_one_line(self.before)} => {_one_line(self.after)}{again}"

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.after.encode() + source[self.end :]


def mutants_of(path: Path, module: str, enums: Mapping[str, Sequence[str]]) -> list[Mutant]:
    """Return the mutants of a module.

    Args:
        path: the file.
        module: what it is called in the report.
        enums: the members of each enum, by the name of its class.
    """
    source = path.read_bytes()
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    for mutant in _Finder(source, module, enums).find():
        key = (mutant.scope, _one_line(mutant.before), _one_line(mutant.after))
        seen[key] += 1
        found.append(replace(mutant, number=seen[key]))
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _Finder:
    def __init__(self, source: bytes, module: str, enums: Mapping[str, Sequence[str]]) -> None:
        self._source = source
        self._module = module
        self._enums = enums
        self._tree = ast.parse(source)
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._scope: list[str] = []

    def find(self) -> Iterator[Mutant]:
        for statement in self._tree.body:
            yield from self._visit(statement)

    def _visit(self, node: ast.AST) -> Iterator[Mutant]:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Global | ast.Nonlocal):
            return
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Assign) and _name_of(node.targets[0]) == "__all__":
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        for after in self._changes(node):
            yield self._mutant(node, after)
        for condition in _conditions(node):
            yield self._mutant(condition, f"(not {ast.unparse(condition)})")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._scope.append(node.name)
            for child in self._inside(node):
                yield from self._visit(child)
            self._scope.pop()
        else:
            for child in self._inside(node):
                yield from self._visit(child)

    def _inside(self, node: ast.AST) -> Iterator[ast.AST]:
        """The children that run: no annotations or decorators, and no sentences and names that are only shown."""
        if isinstance(node, ast.Call) and _name_of(node.func) in _TRANSLATED | _LOGGING | _LOGGING_SELDOM | _NAMING:
            return
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "type_params", "ctx", "bases", "targets", "target"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield child

    def _mutant(self, node: ast.AST, after: str) -> Mutant:
        # what is changed has a place in the text
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[node.end_lineno - 1] + node.end_col_offset
        before = self._source[start:end].decode()
        return Mutant(self._module, ".".join(self._scope), node.lineno, start, end, before, after)

    def _changes(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Attribute():
                yield from self._other_members(node)
            case ast.Constant():
                yield from _other_constants(node.value)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                yield from (f"({ast.unparse(other)})" for other in _other_conditions(node))
            case ast.expr():
                yield from (f"({ast.unparse(other)})" for other in _other_values(node))
            case ast.stmt():
                yield from _other_statements(node)

    def _other_members(self, node: ast.Attribute) -> Iterator[str]:
        owner = _name_of(node.value)
        members = self._enums.get(owner, ())
        if node.attr in members:
            other = members[(members.index(node.attr) + 1) % len(members)]
            if other != node.attr:
                yield f"{ast.unparse(node.value)}.{other}"


def _other_conditions(node: ast.Compare | ast.BoolOp | ast.UnaryOp) -> Iterator[ast.expr]:
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                ops = [*node.ops[:index], _COMPARISONS[type(operator)](), *node.ops[index + 1 :]]
                yield ast.Compare(node.left, ops, node.comparators)
        case ast.BoolOp():
            yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            for index in range(len(node.values)):
                rest = [*node.values[:index], *node.values[index + 1 :]]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.UnaryOp(op=ast.Not() | ast.Invert()):
            yield node.operand


def _other_values(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        # text is put together with + too, where - would only be a TypeError
        case ast.BinOp(left=left) if type(node.op) in _ARITHMETIC and not isinstance(
            left, ast.Constant | ast.JoinedStr
        ):
            yield ast.BinOp(left, _ARITHMETIC[type(node.op)](), node.right)
        case ast.IfExp():
            yield ast.IfExp(node.test, node.orelse, node.body)
        case ast.Call(func=ast.Name(id="min" | "max" as name)):
            yield ast.Call(ast.Name("max" if name == "min" else "min"), node.args, node.keywords)


def _other_constants(value: object) -> Iterator[str]:
    match value:
        case bool():
            yield str(not value)
        case int() | float():
            yield str(value + 1)
        case str() if value:
            yield repr(f"{value}?")
        case str():
            yield repr("?")


def _other_statements(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Expr(value=ast.Call(func=function)) if _name_of(function) not in _LOGGING:
            yield "pass"
        case ast.Expr(value=ast.Yield() | ast.YieldFrom()):
            return
        case ast.Assign(targets=[ast.Attribute() | ast.Tuple() | ast.Subscript()]):
            if not isinstance(node.targets[0], ast.Tuple) or isinstance(node.targets[0].elts[0], ast.Attribute):
                yield "pass"
        case ast.AugAssign() | ast.Raise() | ast.Delete():
            yield "pass"
        case ast.Continue():
            yield "break"
        case ast.Break():
            yield "continue"
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield "return None"


def _name_of(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _conditions(node: ast.AST) -> list[ast.expr]:
    """The conditions with no operator of their own to change."""
    match node:
        case ast.If(test=test) | ast.While(test=test):
            found = [test]
        case ast.comprehension(ifs=ifs):
            found = ifs
        case _:
            found = []
    return [each for each in found if isinstance(each, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr)]

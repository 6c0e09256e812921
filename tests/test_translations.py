"""Every sentence a person may read has its Indonesian, and what is compiled is what is written.

Pure Python, so that nothing is skipped where GNU gettext is not installed: the sentences are read from the syntax tree
of each module and, with Django's own extractor, from each template.
"""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation
from django.utils.translation.template import templatize

import django_dana
from django_dana.protocol import response_codes

PACKAGE = Path(django_dana.__file__).parent
CATALOG = PACKAGE / "locale" / "id" / "LC_MESSAGES" / "django.po"

HOW_TO = """
To bring the translations up to date (with GNU gettext installed):
    cd django_dana
    python -m django makemessages -l id --no-location --no-wrap --no-obsolete
    (write what is missing into locale/id/LC_MESSAGES/django.po, and take "fuzzy" away where it stands)
    python -m django compilemessages
and commit both the .po and the .mo file."""

#: A sentence and its plural, if it has one.
Message = tuple[str, str]

_SIMPLE = {"_", "gettext", "gettext_lazy", "gettext_noop"}
_PLURAL = {"ngettext", "ngettext_lazy"}
_PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]|%[a-z%]|\{\w*\}")
_STRING = r"""u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*\""""
_IN_TEMPLATE = re.compile(rf"\b(?:_|gettext)\(\s*({_STRING})\s*\)")
_PLURAL_IN_TEMPLATE = re.compile(rf"\bngettext\(\s*({_STRING})\s*,\s*({_STRING})\s*,")


def in_modules() -> Iterator[tuple[str, Message]]:
    """Yield each place in a module and its sentence."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                if name in _SIMPLE | _PLURAL:
                    put_together = [a for a in node.args if isinstance(a, ast.JoinedStr | ast.BinOp)]
                    assert not put_together, f"{place}: a sentence that is put together can't be looked up"
                values = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
                texts = [value for value in values if isinstance(value, str)]
                if name in _SIMPLE and texts:
                    yield place, (texts[0], "")
                elif name in _PLURAL and len(texts) >= 2:
                    yield place, (texts[0], texts[1])
                elif "pgettext" in name:
                    raise AssertionError(f"{place}: this test does not read contexts yet")


def in_templates() -> Iterator[tuple[str, Message]]:
    """Yield each template and its sentences."""
    for path in sorted((PACKAGE / "templates").rglob("*.*")):
        source = templatize(path.read_text(encoding="utf-8"))
        place = str(path.relative_to(PACKAGE))
        assert "pgettext" not in source, f"{place}: this test does not read contexts yet"
        for found in _IN_TEMPLATE.finditer(source):
            yield place, (ast.literal_eval(found[1]), "")
        for found in _PLURAL_IN_TEMPLATE.finditer(source):
            yield place, (ast.literal_eval(found[1]), ast.literal_eval(found[2]))


def entries(text: str) -> dict[str, list[str]]:
    """Return the translations of a .po file by sentence; the last lines of a plural make a list."""
    result: dict[str, list[str]] = {}
    for block in re.split(r"\n\s*\n", text):
        fields: list[tuple[str, str]] = []
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            keyword, _, rest = line.partition('"')
            text_of_line = ast.literal_eval(f'"{rest}')
            if keyword.strip():
                fields.append((keyword.strip(), text_of_line))
            else:
                fields[-1] = (fields[-1][0], fields[-1][1] + text_of_line)
        if fields:
            result[fields[0][1]] = [value for name, value in fields if name.startswith("msgstr")]
    return result


@pytest.fixture(scope="module")
def catalog() -> dict[str, list[str]]:
    return entries(CATALOG.read_text(encoding="utf-8"))


def test_the_sentences_are_found() -> None:
    modules, templates = dict(in_modules()), {message for _, message in in_templates()}
    # one of each kind: models, a table of rules, a service, a template's tag and its block
    sentences = {sentence for sentence, _ in modules.values()}
    assert {"order", "The order is on its way to DANA; there is nothing to do."} <= sentences
    assert {"Give it as text.", "You may not cancel orders."} <= sentences
    assert {rule.advice for rule in response_codes.CANCEL.rows.values()} <= sentences
    assert {("Back to the shop", ""), ("Pay before: %(until)s", "")} <= templates


def test_every_sentence_has_its_indonesian(catalog: dict[str, list[str]]) -> None:
    missing = [
        f"{place}: {sentence}"
        for place, (sentence, _) in (*in_modules(), *in_templates())
        if not all(catalog.get(sentence) or [""])
    ]
    assert not missing, "\n".join(["No Indonesian for:", *missing, HOW_TO])


def test_nothing_is_uncertain(catalog: dict[str, list[str]]) -> None:
    text = CATALOG.read_text(encoding="utf-8")
    assert "fuzzy" not in text, HOW_TO
    assert "#~" not in text, "Sentences that are no more.\n" + HOW_TO


def test_nothing_is_left_over(catalog: dict[str, list[str]]) -> None:
    used = {sentence for _, (sentence, _) in (*in_modules(), *in_templates())}
    assert set(catalog) - used == {""}, HOW_TO


def test_placeholders_stay(catalog: dict[str, list[str]]) -> None:
    for sentence, translations in catalog.items():
        for translated in translations if sentence else ():
            expected, found = (sorted(m[0] for m in _PLACEHOLDER.finditer(text)) for text in (sentence, translated))
            assert found == expected, f"{sentence!r} → {translated!r}"


def test_what_is_compiled_is_what_is_written(catalog: dict[str, list[str]]) -> None:
    with CATALOG.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for sentence, translations in catalog.items():
        if sentence and len(translations) == 1:
            assert compiled.gettext(sentence) == translations[0], HOW_TO
    assert len({key for key in compiled._catalog if key}) == len(catalog) - 1, HOW_TO  # type: ignore[attr-defined]


def test_django_finds_it() -> None:
    with translation.override("id"):
        for table in (response_codes.CREATE, response_codes.QUERY, response_codes.CANCEL):
            for rule in table.rows.values():
                assert translation.gettext(rule.advice) != rule.advice

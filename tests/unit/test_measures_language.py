# ruff: noqa: RUF001 - letters of other languages

import pytest

from pipelines.quality.language import is_among, language

ENGLISH = (
    "Employees ask for leave two weeks before it begins. The manager answers within three days, and"
    " whoever hears nothing may take it as granted. Sick leave needs no question, only a message;"
    " a doctor's note is due from the fourth day on, and it stays with the human resources office."
)
GERMAN = (
    "Urlaub wird zwei Wochen vorher beantragt. Die Führungskraft antwortet innerhalb von drei Tagen;"
    " wer nichts hört, darf ihn als genehmigt betrachten. Bei Krankheit genügt eine Nachricht, ein"  # codespell:ignore
    " Attest ist erst ab dem vierten Tag vorzulegen, und zwar unmittelbar bei der Personalabteilung."  # codespell:ignore
)
FRENCH = (
    "Les congés se demandent deux semaines à l'avance. Le responsable répond dans les trois jours ;"  # codespell:ignore
    " sans réponse, ils sont réputés accordés. En cas de maladie, un simple message suffit, et le"
    " certificat n'est exigé qu'à partir du quatrième jour."  # codespell:ignore
)
SPANISH = (
    "Las vacaciones se solicitan con dos semanas de antelación. El responsable contesta en tres días"  # codespell:ignore
    " y quien no recibe respuesta puede darlas por concedidas. En caso de enfermedad basta un"
    " mensaje; el certificado se exige a partir del cuarto día."
)
CHINESE = (
    "员工应提前两周申请休假。主管会在三天之内答复,如果没有收到答复,即可视为批准。生病时只需要发送一条消息,"
    "从第四天起才需要提交医生证明。所有请假记录由人力资源部门保存,保存期限为三年,期满之后删除。"
)
RUSSIAN = (
    "Отпуск запрашивают за две недели. Руководитель отвечает в течение трёх дней, а кто не получил"
    " ответа, может считать его предоставленным. При болезни достаточно короткого сообщения."
)
CODE = "```python\nfor urlaub in antraege:\n    genehmige(urlaub)\n```\n"
TABLE = "| Urlaub | Tage | Bemerkung für alle |\n| --- | --- | --- |\n" * 40  # codespell:ignore


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (ENGLISH, "en"),
        (GERMAN, "de"),
        (FRENCH, "fr"),
        (SPANISH, "es"),
        (CHINESE, "zh"),
        (RUSSIAN, "ru"),
        (ENGLISH.upper(), "en"),
    ],
)
def test_language_of_prose_is_known(text: str, code: str) -> None:
    assert language(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Urlaub wird zwei Wochen vorher beantragt.",
        "| Name | Ort |\n| --- | --- |\n" + "| Müller | Köln am schönen Rhein |\n" * 50,
        CODE * 50,
        "1 2 3 4 5 6 7 8 9 0 " * 100,
        "https://example.com/der/weg/ist/das/ziel-und-mehr " * 30,  # codespell:ignore
        "qwxz vbnk plmj rtgh zxqw " * 3,
    ],
)
def test_too_little_prose_has_no_language(text: str) -> None:
    assert language(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Ben Kim Lee Ana Mia Leo Max Eva Jan Tom Sam Ida Noa Ada " * 10,
        "lor mip sud tek van rol pif nas kel dom bor tis " * 10,
    ],
)
def test_names_and_gibberish_have_no_language(text: str) -> None:
    assert language(text) is None


@pytest.mark.parametrize("noise", [CODE * 30, TABLE, "`für Müller` <b>und</b> " * 40])
def test_code_and_tables_do_not_count(noise: str) -> None:
    assert language(f"{noise}\n\n{ENGLISH}\n\n{noise}") == "en"


def test_fence_of_the_other_kind_does_not_close() -> None:
    assert language(f"~~~\n```\n{GERMAN}\n~~~\n\n{ENGLISH}") == "en"


def test_foreign_word_lists_and_addresses_leave_a_page_english() -> None:
    assert (
        language(f"{ENGLISH}\n\n- Bratwurst\n- Sauerkraut\n- [Köln](https://koeln.de/ueber)")
        == "en"
    )


def test_sample_sees_the_middle_and_the_end() -> None:
    assert language(f"{ENGLISH}\n" + f"{GERMAN}\n" * 200) == "de"


def test_languages_written_alike_stand_for_each_other() -> None:
    assert is_among("no", ["NB"])
    assert is_among("hr", ["en", "sr"])
    assert is_among("en", ["en"])
    assert not is_among("de", ["en", "nl"])
    assert not is_among("de", [])

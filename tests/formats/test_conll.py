"""The CoNLL family: the conformance suite, real samples, and files that are not as they should."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nbannot.errors import FormatError
from nbannot.formats import detect, get_format
from nbannot.formats.examples import ReadBack, Row, read_back, written
from nbannot.ledger import Ledger
from nbannot.progress import Progress
from nbannot.sources import open_source

from .text_cases import TextCases, read_written, text_example


class TestConllColumns(TextCases):
    """Columns as CoNLL-2003 has them; labels without spaces."""

    format_name = "conll"
    spaces = (" ",)
    write_options = {"words": "spaces"}

    def expected(self, row: Row) -> Row | None:
        """A space in a label becomes _."""
        return {**row, "label": row["label"].replace(" ", "_")}


class TestConllU(TextCases):
    """CoNLL-U keeps spaces."""

    format_name = "conll"
    write_options = {"layout": "conllu", "words": "words", "scheme": "BIOES"}


def read(files: Mapping[str, str | bytes], **options: Any) -> ReadBack:
    data = {p: t.encode() if isinstance(t, str) else t for p, t in files.items()}
    return read_back(get_format("conll"), open_source(data), **options)


def spans(found: ReadBack) -> list[tuple[str, str]]:
    return [(row["label"], row["text"]) for row in found.annotations]


def texts(found: ReadBack) -> list[str]:
    return [json.loads(row["data"])["text"] for row in found.items]


def counts(found: ReadBack) -> dict[str | None, int]:
    out: dict[str | None, int] = {}
    for row in found.items:
        out[row.get("subset")] = out.get(row.get("subset"), 0) + 1
    return out


# -- samples --------------------------------------------------------------------------


def test_flair_fashion(samples: Path) -> None:
    """Six, one and one sentences, as flair counts them; entities by hand."""
    source = open_source(samples / "conll/flair-fashion")
    assert detect(source)[0].format == "conll"
    found = read_back(get_format("conll"), source)
    assert counts(found) == {"train": 6, "testa": 1, "testb": 1}
    assert [g for g in found.ledger.groups() if g[0] != "note"] == []
    dev = [r for r in found.annotations if r["subset"] == "testa"]
    before = (
        "Most wedding dresses , for example , are simply too enormous and terrifyingly loaded "
        "with sentimental value for "
    )
    assert [(r["label"], r["text"], r["start"]) for r in dev] == [
        ("Occasion", "wedding", 5.0),
        ("NominalProduct", "dresses", 13.0),
        ("ProductDesign", "DIY dyeing", float(len(before))),
    ]
    lines = (samples / "conll/flair-fashion/eng.train").read_text("utf-8").splitlines()
    begun = sum(" B-" in line or " S-" in line for line in lines)
    assert sum(r["subset"] == "train" for r in found.annotations) == begun


def test_flair_trivial(samples: Path) -> None:
    """Folders of BIO files; those with -DOCSTART- are documents; fastText files are noted."""
    source = open_source(samples / "conll/flair-trivial")
    assert detect(source)[0].format == "conll"
    found = read_back(get_format("conll"), source)
    plain = [r for r in found.items if r["key"].startswith("trivial_bioes/")]
    assert len(plain) == 16 + 8 + 8
    marked = [r for r in found.items if r["key"].startswith("trivial_bioes_with_boundaries/")]
    by_subset = {
        s: [len(json.loads(r["meta"])["conll"]["sentences"]) for r in marked if r["subset"] == s]
        for s in ("train", "dev", "test")
    }
    # flair counts 12, 8 and 8 sentences without the markers
    assert by_subset == {"train": [4, 4, 4], "dev": [4, 4], "test": [4, 4]}
    assert {(r["label"], r["text"]) for r in found.annotations} == {
        ("LOC", "New York"), ("LOC", "Berlin"),
    }  # fmt: skip
    assert len(found.annotations) == 32 + 28
    notes = found.ledger.lines("note", "file was not read")
    assert len(notes) == 6
    assert all("trivial_text_classification" in line["file"] for line in notes)


def test_flair_universal_dependencies(samples: Path) -> None:
    """CoNLL-U: three documents, one and two, of six, two and four sentences in all."""
    source = open_source(samples / "conll/flair-ud_english")
    assert detect(source)[0].confidence == 0.95
    found = read_back(get_format("conll"), source)
    assert counts(found) == {"train": 3, "dev": 1, "test": 2}
    sentences = {"train": 0, "dev": 0, "test": 0}
    for row in found.items:
        sentences[row["subset"]] += len(json.loads(row["meta"])["conll"]["sentences"])
    assert sentences == {"train": 6, "dev": 2, "test": 4}
    assert texts(found)[0] == (
        "From the AP comes this story :\nPresident Bush on Tuesday nominated two individuals to "
        "replace retiring jurists on federal courts in the Washington area."
    )
    # the same id stands three times in one file
    assert [g for g in found.ledger.groups() if g[0] != "note"] == [
        ("warning", "id is used twice", 3)
    ]
    by_sentence = read_back(get_format("conll"), source, items="sentence")
    assert counts(by_sentence) == {"train": 6, "dev": 2, "test": 4}


@pytest.mark.parametrize("case", ["flair-fashion", "flair-ud_english"])
def test_a_sample_is_written_as_it_was(samples: Path, case: str) -> None:
    """Read and written, a file has the same lines."""
    given = {p.name: p.read_bytes() for p in (samples / "conll" / case).iterdir()}
    format = get_format("conll")
    back = written(format, read_written(format, given))
    for name, data in given.items():
        split = next(s for s in ("train", "testa", "testb", "dev", "test") if s in name[-13:])
        split = "testb" if name.endswith("testb") else split
        split = "testa" if name.endswith("testa") else split
        new = next(v for k, v in back.items() if k.partition(".")[0] == split)
        # one S- among 81 tags of BIO becomes B-
        assert [x for x in new.decode().splitlines() if x] == [
            x.replace(" S-", " B-") for x in data.decode().splitlines() if x
        ]


# -- kinds of file ----------------------------------------------------------------------


def test_conll_2003_is_iob1_in_latin_1() -> None:
    """IOB1 with B- only between neighbours, documents by -DOCSTART-, Latin-1."""
    text = (
        "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\nGerman JJ I-NP I-MISC\n"
        "British JJ I-NP B-MISC\n. . O O\n\n-DOCSTART- -X- O O\n\nKöln NNP I-NP I-LOC\n"
    )
    found = read({"eng.train": text.encode("latin-1")})
    assert spans(found) == [
        ("ORG", "EU"), ("MISC", "German"), ("MISC", "British"), ("LOC", "Köln")
    ]  # fmt: skip
    assert [r["key"] for r in found.items] == ["train-1", "train-2"]
    assert [g[:2] for g in found.ledger.groups()] == [("note", "file is not UTF-8")]
    format = get_format("conll")
    back = written(format, read_written(format, {"eng.train": text.encode("latin-1")}))
    assert back["train.conll"].decode() == text + "\n"


def test_label_studio_writes_tasks_as_sentences() -> None:
    """One marker at the top of `-X- _` columns: each sentence is a task."""
    text = (
        "-DOCSTART- -X- O\nJane -X- _ B-Person\nSmith -X- _ I-Person\n\n$ -X- _ O\n3.99 -X- _ O\n"
    )
    found = read({"result.conll": text})
    assert texts(found) == ["Jane Smith", "$ 3.99"]
    assert spans(found) == [("Person", "Jane Smith")]


def test_germeval_has_two_columns_of_tags() -> None:
    """The outer tags and those within them; the header line is a comment."""
    text = (
        "#\thttp://de.example.org [2009]\n1\tTSV\tB-ORG\tO\n2\t1860\tI-ORG\tO\n"
        "3\tMünchen\tI-ORG\tB-LOC\n\n1\tund\tO\tO\n"
    )
    found = read({"GermEval.train.tsv": text})
    assert spans(found) == [("ORG", "TSV 1860 München"), ("LOC", "München")]
    assert texts(found) == ["TSV 1860 München", "und"]
    format = get_format("conll")
    back = written(format, read_written(format, {"train.tsv": text.encode()}))
    assert back["train.conll"].decode() == text + "\n"


def test_wnut_and_the_mit_corpora() -> None:
    """Two columns with tabs; and two with the tag first."""
    assert spans(read({"w.conll": "@x\tO\nEmpire\tB-location\nState\tI-location\n"})) == [
        ("location", "Empire State")
    ]
    assert spans(read({"m.bio": "O\tsteve\nB-ACTOR\ttom\nI-ACTOR\thanks\n"})) == [
        ("ACTOR", "tom hanks")
    ]


def test_a_column_of_spaces() -> None:
    """Flair's third column says whether a space follows."""
    found = read({"a.txt": "It O +\nis O +\nNew B-LOC +\nYork I-LOC -\n. O +\n"})
    assert texts(found) == ["It is New York."]
    assert [(r["start"], r["end"]) for r in found.annotations] == [(6.0, 14.0)]


def test_conll_u_words_within_words_and_empty_nodes() -> None:
    """A multiword token gives the text, an empty node none; ner= in MISC is a tag."""
    rows = (
        "# newdoc id = d1\n# sent_id = s1\n# text = vámonos al mar\n"
        "1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_\n1\tvamos\tir\t_\t_\t_\t0\t_\t_\t_\n"
        "2\tnos\tnosotros\t_\t_\t_\t1\t_\t_\t_\n3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_\n"
        "3\ta\ta\t_\t_\t_\t5\t_\t_\t_\n4\tel\tel\t_\t_\t_\t5\t_\t_\t_\n"
        "5\tmar\tmar\t_\t_\t_\t1\t_\t_\tner=S-LOC|SpaceAfter=No\n"
        "5.1\tnada\t_\t_\t_\t_\t_\t_\t_\t_\n\n"
    )
    found = read({"x.conllu": rows})
    assert texts(found) == ["vámonos al mar"]
    assert [(r["label"], r["start"], r["end"]) for r in found.annotations] == [("LOC", 11.0, 14.0)]
    assert [r["key"] for r in found.items] == ["d1"]
    assert len(found.ledger) == 0


def test_conll_u_plus_names_its_columns() -> None:
    """The column NER of global.columns."""
    text = (
        "# global.columns = ID FORM MISC NER\n1\tHans\t_\tB-PER\n2\tlebt\tSpaceAfter=No\tO\n"
        "3\t.\t_\tO\n"
    )
    found = read({"x.conllup": text})
    assert (texts(found), spans(found)) == (["Hans lebt."], [("PER", "Hans")])
    format = get_format("conll")
    back = written(format, read_written(format, {"data.conllup": text.encode()}))
    assert back["data.conllu"].decode() == text + "\n"


def test_spaces_that_conll_u_can_say() -> None:
    """Tabs, several spaces and line breaks come back from CoNLL-U as they were."""
    example = text_example(())
    example.items["train"][0]["data"] = json.dumps({"text": "  a\t cat,\n\n(dog)  \n"})
    format = get_format("conll")
    files = written(format, example, layout="conllu", words="words")
    found = read_back(format, open_source(files))
    assert texts(found)[0] == "  a\t cat,\n\n(dog)  \n"
    assert len(found.ledger) == 0


def test_schemes_are_written() -> None:
    """The scheme that was asked for; BIOES, BILOU and IOB1 of two neighbours by hand."""
    format = get_format("conll")
    given = read_written(format, {"data.conll": b"a B-X\nb I-X\nc B-X\nd O\n"})
    tags = {
        scheme: [
            line.split()[1]
            for line in written(format, given, scheme=scheme)["data.conll"].decode().splitlines()
            if line
        ]
        for scheme in ("BIO", "IOB1", "BIOES", "BILOU")
    }
    assert tags == {
        "BIO": ["B-X", "I-X", "B-X", "O"], "IOB1": ["I-X", "I-X", "B-X", "O"],
        "BIOES": ["B-X", "E-X", "S-X", "O"], "BILOU": ["B-X", "L-X", "U-X", "O"],
    }  # fmt: skip
    for files in (written(format, given, scheme=s) for s in tags):
        assert spans(read_back(format, open_source(files))) == [("X", "a b"), ("X", "c")]


# -- what is wrong ------------------------------------------------------------------------


def test_an_entity_that_begins_with_i() -> None:
    """I- after O, in a file where others begin with B-, begins an entity, with a warning."""
    found = read({"a.conll": "a B-X\nb O\nc I-X\n\nd I-Y\n"})
    assert spans(found) == [("X", "a"), ("X", "c"), ("Y", "d")]
    lines = found.ledger.lines("warning", "entity begins with I-")
    assert [line["record"] for line in lines] == ["line 3", "line 5"]
    assert found.balance is not None
    assert (found.balance.read, found.balance.warned) == (5, 2)


def test_an_entity_without_its_end() -> None:
    """BIOES: B- and I- without E- are an entity all the same."""
    found = read({"a.conll": "a S-X\n\na B-X\nb E-X\nc O\n\na B-X\nb E-X\n\na B-X\nb I-X\n"})
    assert spans(found) == [("X", "a"), ("X", "a b"), ("X", "a b"), ("X", "a b")]
    assert found.ledger.groups() == [("warning", "entity is not ended", 1)]


def test_lines_of_other_numbers_of_columns() -> None:
    """A line without a tag keeps its word; a longer one has its tag at its end."""
    found = read({"a.conll": "EU NNP B-ORG\nSOCCER\nx y z B-LOC\nJAPAN NNP O\n. . O\nb c O\n"})
    assert texts(found) == ["EU SOCCER x JAPAN . b"]
    assert spans(found) == [("ORG", "EU"), ("LOC", "x")]
    line = found.ledger.lines("warning", "line of another number of columns")[0]
    assert (line["where"], line["record"]) == ("line 2", "item")


def test_a_tag_of_no_scheme() -> None:
    """It is a rejected record; its word stays."""
    rows = "".join(f"w{i} O\n" for i in range(20))
    found = read({"a.conll": f"a B-X\nb PER\n{rows}"})
    line = found.ledger.lines("rejected", "tag can't be read")[0]
    assert (line["where"], line["message"].count("PER")) == ("line 2", 1)
    assert texts(found)[0].startswith("a b w0")


def test_hashes_blank_lines_and_other_spaces() -> None:
    """A # can be a word; blank lines with spaces end a sentence; a no-break space is no column."""
    found = read({"a.conll": "\ufeff# O\r\n10\xa0000 B-N\r\n \t\r\n\r\n\r\nx O\r\n\r\n\r\n"})
    assert texts(found) == ["# 10\xa0000", "x"]
    assert spans(found) == [("N", "10\xa0000")]


def test_words_that_are_not_those_of_the_text() -> None:
    """A # text comment of other words is a warning."""
    found = read({"a.conllu": "# text = a b\n1\ta\t_\t_\t_\t_\t_\t_\t_\t_\n"})
    assert found.ledger.groups() == [("warning", "words are not those of # text", 1)]


def test_a_document_without_a_blank_line_before_it() -> None:
    """In CoNLL-U, # newdoc ends the sentence before; -DOCSTART- is no marker there."""
    rows = "1\ta\t_\t_\t_\t_\t_\t_\t_\t_\n"
    odd = "-DOCSTART-\tb\t_\t_\t_\t_\t_\t_\t_\t_\n"
    text = f"# newdoc id = x\n{rows}# newdoc id = y\n{rows}{odd}"
    found = read({"a.conllu": text})
    assert [(r["key"], t) for r, t in zip(found.items, texts(found), strict=True)] == [
        ("x", "a"), ("y", "a b")
    ]  # fmt: skip


def test_short_lines_are_written_as_they_were() -> None:
    """A line that lacks columns keeps those it has, and a tag among them is set."""
    text = "a x y B-X\nb I-X\nc\nd x y O\ne x y O\n"
    format = get_format("conll")
    back = written(format, read_written(format, {"data.conll": text.encode()}))
    assert back["data.conll"].decode() == text + "\n"


def test_what_the_writer_says() -> None:
    """Overlaps, spans of parts of words, changed spaces and labels are lines of the ledger."""
    format = get_format("conll")
    example = read_written(format, {"d.conll": b"New B-LOC\nYork I-LOC\n"})
    on = {"item": example.items["default"][0]["key"], "type": "text_span", "source_id": "1"}
    example.annotations["default"] += [
        {**on, "label": "X", "start": 0.0, "end": 3.0, "text": "New"},
        {**on, "label": "Y", "start": 99.0, "end": 100.0, "text": ""},
    ]
    example.items["default"].append({"key": "b", "kind": "text", "data": '{"text":"Hi, you"}'})
    example.items["default"].append({"key": "c", "kind": "image"})
    ledger = Ledger()
    from nbannot.formats.examples import MemorySink

    sink = MemorySink()
    format.write(example, sink, format.check_options({}, writing=True), ledger, Progress())
    assert ledger.groups() == [
        ("rejected", "image can't be written", 1),
        ("rejected", "overlapping span can't be written", 1),
        ("rejected", "span outside the text", 1),
        ("warning", "text is changed", 1),
    ]


def test_files_that_are_called_conll_come_first() -> None:
    """Beside a .conll file, a text that is CoNLL, too, is noted; prose is passed over."""
    files = {"a.conll": "a B-X\n", "results/system.txt": "a I-X\n", "README.txt": "prose\n"}
    found = read(files)
    assert texts(found) == ["a"]
    notes = found.ledger.lines("note", "file was not read")
    assert [n["file"] for n in notes] == ["results/system.txt"]
    data = {p: t.encode() for p, t in files.items()}
    assert (detect(open_source(data))[0].format, detect(open_source(data))[0].root) == ("conll", "")


def test_not_this_format() -> None:
    """Prose is not CoNLL; an empty file has no items; reading prose says why not."""
    prose = {"a.txt": b"just a text\non two lines\n"}
    best = next(c for c in detect(open_source(prose)) if c.format == "conll")
    assert (best.confidence, best.missing) == (
        0.0, "a.txt: no column of tags (B-..., I-..., O)"
    )  # fmt: skip
    with pytest.raises(FormatError, match="no column of tags"):
        read({"a.txt": prose["a.txt"]})
    found = read({"a.conll": ""})
    assert (found.items, found.annotations) == ([], [])

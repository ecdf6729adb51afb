"""The page as a whole: complete, well-formed, self-contained, and safe whatever the run folder says."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
import standins

from mosegedge.errors import MosegedgeError, SearchError
from mosegedge.report.page import Sources, build_report

TODAY = date(2026, 1, 2)
SECTIONS = ["front", "latency", "generations", "networks", "why", "pictures", "commands"]
VOID = {"br", "img", "meta"}


class Checker(HTMLParser):
    """Collects what a page holds and refuses tags that do not match."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def checked(path: Path) -> Checker:
    checker = Checker()
    checker.feed(path.read_text())
    checker.close()
    assert checker.open == []
    return checker


def words_of(path: Path) -> str:
    return " ".join("".join(checked(path).text).split())


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A run with profile, supernet and bundle; tests copy it before they change it."""
    root = tmp_path_factory.mktemp("complete")
    profile = standins.make_profile(root / "profiles")
    run = standins.make_run(root, profile_digest=profile.digest, supernet_digest=standins.make_supernet(root))
    standins.make_bundle(run)
    return run, Sources(profile_root=root / "profiles")


@pytest.fixture(scope="module")
def page(complete):
    run, sources = complete
    return build_report(run, created=TODAY, sources=sources, pictures=2)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    return standins.make_run(tmp_path_factory.mktemp("bare"))


@pytest.fixture
def bare(untouched, tmp_path):
    """A run whose profile and supernet are nowhere, to be changed."""
    return Path(shutil.copytree(untouched, tmp_path / "run"))


def test_nothing_is_left_out_when_everything_is_there(page):
    assert page.left_out == ()
    assert checked(page.path).ids == SECTIONS
    assert 'class="missing"' not in page.path.read_text()


def test_every_section_reads_its_figure(page):
    checker = checked(page.path)
    assert checker.attributes.count(("class", "reading")) == len(SECTIONS)


def test_no_markup_is_shown_as_text(page):
    assert not re.search(r"</?(?:code|span|td|p|div|svg)\b", "".join(checked(page.path).text))


def test_the_page_is_self_contained(page):
    checker = checked(page.path)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "use", "image"} & set(checker.tags)
    for name, value in checker.attributes:
        assert name not in {"href", "xlink:href", "style"}
        assert not name.startswith("on")
        if name == "src":
            assert value.startswith("data:image/")
    without_pictures = re.sub(r'src="data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+"', "", page.path.read_text())
    assert not re.search(r"https?:|//|url\(|@import", without_pictures)
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in checker.attributes


def test_pictures_have_words_in_their_place(page):
    checker = checked(page.path)
    images = checker.tags.count("img")
    assert images == 2 * (2 + 3)
    assert len([value for name, value in checker.attributes if name == "alt" and len(value) > 10]) == images
    labels = [value for name, value in checker.attributes if name == "aria-label"]
    assert len(labels) == 5 + 3 + 1 + 2 * 3, "five charts, three networks, where their time goes"


def test_same_inputs_same_bytes(complete, page):
    before = page.path.read_bytes()
    run, sources = complete
    build_report(run, created=TODAY, sources=sources, pictures=2)
    assert page.path.read_bytes() == before


def test_the_front_shows_every_evaluated_network(page):
    text = page.path.read_text()
    assert len(re.findall(r'<circle class="point (?:initial|g[0-3])"[^>]*><title>', text)) == 28
    assert len(re.findall(r'<path class="baseline"[^>]*><title>', text)) == 15
    assert text.count('class="flag"') == 3
    words = words_of(page.path)
    assert "1 evaluation failed" in words
    assert standins.FAILURE in words


def test_figures_are_computed_from_the_data(complete, page):
    run, _ = complete
    last = json.loads((run / "generations.jsonl").read_text().splitlines()[-1])
    words = words_of(page.path)
    assert f"{last['hypervolume']:.4f}" in words
    assert "On 12 networks that the profile was not fitted to" in words
    assert "tau 0.900, MAPE 3.1%" in words, "the profile's own error"
    assert "3.00 \u00b1 0.10" in words, "the verified bundle"


def test_a_dominated_front_is_not_praised(bare):
    lines = [json.loads(line) for line in (bare / "baselines.jsonl").read_text().splitlines()]
    (bare / "baselines.jsonl").write_text("".join(json.dumps({**line, "miou": 0.99}) + "\n" for line in lines))
    words = words_of(build_report(bare, created=TODAY, pictures=0).path)
    assert "ahead of the best uniform-width networks in 0 of 1 cases" in words


def test_what_cannot_be_opened_is_said(bare):
    report = build_report(bare, created=TODAY, sources=Sources(profile_root=bare / "none"))
    words = words_of(report.path)
    assert len(report.left_out) == 2
    assert all(" ".join(reason.split()) in words for reason in report.left_out)
    assert "There is no checkpoint" in words
    assert checked(report.path).ids == SECTIONS


def test_another_profile_or_checkpoint_is_refused(complete, tmp_path):
    _, sources = complete
    run = standins.make_run(tmp_path)
    standins.make_supernet(tmp_path)
    report = build_report(run, created=TODAY, sources=sources)
    assert "the search used 000000000000" in report.left_out[0]
    assert "the search used 000000000000" in report.left_out[1]


@pytest.mark.parametrize("name", ["baselines.jsonl", "generations.jsonl", "front.json"])
def test_optional_files_may_be_missing(bare, name):
    (bare / name).unlink()
    report = build_report(bare, created=TODAY, pictures=0)
    assert checked(report.path).ids == SECTIONS


def test_an_unfinished_search_has_a_report(bare):
    (bare / "front.json").unlink()
    assert "not finished" in words_of(build_report(bare, created=TODAY, pictures=0).path)


@pytest.mark.parametrize("name", ["run.json", "archive.jsonl", "baselines.jsonl", "generations.jsonl", "front.json"])
@pytest.mark.parametrize("content", ["{\n", "[]\n", '{"schema": 1}\n', '"text"\n', "\x00\n", '{"chosen": [1]}\n'])
def test_damaged_files_are_named(bare, name, content):
    (bare / name).write_text(content)
    with pytest.raises(MosegedgeError) as caught:
        build_report(bare, created=TODAY, pictures=0)
    assert str(bare) in str(caught.value)


@pytest.mark.parametrize("value", ['"fast"', "NaN", "true", "null", "1e999"])
def test_values_of_the_wrong_type_are_named(bare, value):
    path = bare / "archive.jsonl"
    path.write_text(re.sub(r'"latency_ms":[0-9.]+', f'"latency_ms":{value}', path.read_text(), count=1))
    with pytest.raises(SearchError, match=r"archive\.jsonl"):
        build_report(bare, created=TODAY, pictures=0)


@pytest.mark.parametrize("name", ["bundle.json", "verify.json"])
@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"code": "1 2 3"}'])
def test_a_damaged_bundle_is_named(bare, name, content):
    folder = standins.make_bundle(bare)
    (folder / name).write_text(content)
    with pytest.raises(SearchError, match=name):
        build_report(bare, created=TODAY, pictures=0)


def test_no_evaluation_no_report(bare):
    (bare / "archive.jsonl").write_text("")
    with pytest.raises(SearchError, match="accuracy yet"):
        build_report(bare, created=TODAY, pictures=0)


HOSTILE = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"' & //evil"


def test_hostile_text_stays_text(complete, tmp_path):
    source, _ = complete
    run = tmp_path / "run"
    shutil.copytree(source, run)
    manifest = json.loads((run / "run.json").read_text())
    manifest["space"]["name"] = manifest["data"] = HOSTILE
    manifest["profile"]["reference"] = manifest["supernet"]["path"] = HOSTILE
    manifest["versions"][HOSTILE] = HOSTILE
    manifest["settings"][HOSTILE] = HOSTILE
    (run / "run.json").write_text(json.dumps(manifest))
    archive = run / "archive.jsonl"
    lines = [json.loads(line) for line in archive.read_text().splitlines()]
    for line in lines:
        line["reason"] = HOSTILE
        line["failure"] = HOSTILE if line["failure"] else None
    archive.write_text("".join(json.dumps(line) + "\n" for line in lines))
    verification = json.loads((run / "bundles/first/verify.json").read_text())
    (run / "bundles/first/verify.json").write_text(json.dumps({**verification, "fps_card": HOSTILE, "device": HOSTILE}))
    checker = checked(build_report(run, created=TODAY).path)
    assert not {"script", "img"} & set(checker.tags)
    assert checker.ids == SECTIONS
    assert not [name for name, _ in checker.attributes if name.startswith("on")]
    assert HOSTILE in "".join(checker.text)


def change_lines(path: Path, change) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(change(place, line)) + "\n" for place, line in enumerate(lines)))


def test_baselines_that_nothing_stands_against_are_counted(bare):
    change_lines(bare / "baselines.jsonl", lambda place, line: {**line, "latency_ms": 0.01} if place == 0 else line)
    words = words_of(build_report(bare, created=TODAY, pictures=0).path)
    assert "1 of uniform width is faster than all of it." in words


def test_predictors_are_compared_over_the_same_generations(bare):
    taus = [{}, {"predictor": -0.8}, {"predictor": 0.7, "lightgbm": 0.5, "log_flops": 0.25}]
    change_lines(bare / "generations.jsonl", lambda place, line: {**line, "held_out_tau": taus[place]})
    words = words_of(build_report(bare, created=TODAY, pictures=0).path)
    assert "GP's tau is 0.70, LightGBM's 0.50, that of FLOPs 0.25 on average in 1 generation." in words


def test_without_held_out_networks_there_is_no_rank_correlation(bare):
    change_lines(
        bare / "generations.jsonl", lambda place, line: {**line, "held_out_tau": {}, "new_tau": {"predictor": None}}
    )
    report = build_report(bare, created=TODAY, pictures=0)
    assert "no part of the archive was held out" in words_of(report.path)
    assert "Kendall's tau</text>" not in report.path.read_text()


def test_a_bundle_named_by_its_code_says_it_once(bare):
    folder = standins.make_bundle(bare)
    code = json.loads((folder / "bundle.json").read_text())["code"]
    for name, columns in ((code.replace(" ", "-"), 9), ("first", 10)):
        folder = folder.rename(folder.with_name(name))
        text = build_report(bare, created=TODAY, pictures=0).path.read_text()
        table = text[text.index("Exported networks on their device") :]
        assert (
            table[: table.index("</table>")].count("<th ") == table[: table.index("</table>")].count("<td>") == columns
        )

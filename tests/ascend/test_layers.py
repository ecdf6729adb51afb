"""Time of single layers: the run under the profiler, the export, and the tables of all releases."""

from __future__ import annotations

from pathlib import Path

import pytest
from ascendboard import Board, add, small_model

from device_agents.backends.ascend import op_summary, profiling
from device_agents.protocol import RpcError

# Headers as documented, shortened behind the columns that matter.
HEADERS = {
    "5.x": "Model ID,Task ID,Stream ID,Op Name,OP Type,Task Type,Task Start Time,Task Duration(us),Task Wait Time(us),"
    "Block Dim",
    "6.0.RC1 and 6.0.1": "Model Name,Model ID,Task ID,Stream ID,Infer ID,Op Name,OP Type,Task Type,Task Start Time,"
    "Task Duration(us),Task Wait Time(us),Block Dim,Input Shapes,Input Data Types,Input Formats,Output Shapes,"
    "Output Data Types,Output Formats,aicore_time(us),total_cycles,vec_time(us),vec_ratio",
    "7.0": "Model Name,Model ID,Task ID,Stream ID,Infer ID,Op Name,OP Type,Task Type,Task Start Time(us),"
    "Task Duration(us),Task Wait Time(us),Block Dim,aicore_time(us)",
    "8.x": "Device_id,Model ID,Task ID,Stream ID,Op Name,OP Type,OP State,Task Type,Task Start Time(us),"
    "Task Duration(us),Task Wait Time(us),Block Dim,Mix Block Dim,HF32 Eligible,Context ID,aicore_time(us)",
    "2026": "Device_id,Model ID,Task ID,Stream ID,Op Name,OP Type,OP State,Task Type,Task Start Time(us),"
    "Task Duration(us),Task Wait Time(us),Block Num,Mix Block Num",
}


def table(folder: Path, header: str, *rows: dict[str, str], name: str = "op_summary_0_1_1.csv") -> Path:
    """Writes one table; columns that a row does not name are N/A."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = header.split(",")
    lines = [header, *(",".join(row.get(column, "N/A") for column in columns) for row in rows)]
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def row(header: str, name: str, us: str, start: str, *, kind: str = "Conv2D", task: str = "AI_CORE") -> dict[str, str]:
    """A row with the header's own name for the start."""
    column = "Task Start Time(us)" if "Task Start Time(us)" in header else "Task Start Time"
    return {"Op Name": name, "OP Type": kind, "Task Type": task, "Task Duration(us)": us, column: start}


@pytest.mark.parametrize("release", HEADERS)
def test_every_release_of_the_table_is_read_by_its_header(tmp_path, release):
    header = HEADERS[release]
    rows = [
        row(header, '"b.Conv"', "30.25\t", "2000\t"),
        row(header, "a.Conv", "12.5", "1000"),
        row(header, "c.Resize", "900.0", "3000", kind="Resize", task="AI_CPU"),
        row(header, "N/A", "5", "4000"),
        row(header, "d.Conv", "N/A", "5000"),
    ]
    table(tmp_path / "PROF_1" / "device_0" / "summary", header, *rows)
    assert op_summary.layers_of(str(tmp_path), 20) == [
        {"name": "a.Conv", "kind": "Conv2D", "ns": 12500, "nodes": ["a.Conv"], "note": ""},
        {"name": "b.Conv", "kind": "Conv2D", "ns": 30250, "nodes": ["b.Conv"], "note": ""},
        {
            "name": "c.Resize",
            "kind": "Resize",
            "ns": 900000,
            "nodes": ["c.Resize"],
            "note": "runs on AI CPU, not on the AI cores; caused by c.Resize",
        },
    ]


def test_one_file_with_all_runs_gives_the_time_of_one_run(tmp_path):
    header = HEADERS["8.x"]
    rows = [
        row(header, name, us, str(100 * run + place))
        for run, us in enumerate(("10", "14"))
        for place, name in enumerate(("a.Conv", "b.Conv", "b.Conv", "c.Conv"))
    ]
    table(tmp_path / "PROF_1" / "mindstudio_profiler_output", header, *rows, name="op_summary_20260101.csv")
    times = {layer["name"]: layer["ns"] for layer in op_summary.layers_of(str(tmp_path), 2)}
    assert times == {"a.Conv": 12000, "b.Conv": 24000, "c.Conv": 12000}


def test_one_file_for_each_run_gives_the_time_of_one_run(tmp_path):
    header = HEADERS["5.x"]
    for run, us in enumerate(("10", "14"), start=1):
        table(tmp_path, header, row(header, "a.Conv", us, "1"), name=f"op_summary_0_1_{run}.csv")
    assert op_summary.layers_of(str(tmp_path), 20)[0]["ns"] == 12000


def test_runs_are_told_apart_by_their_infer_id(tmp_path):
    header = HEADERS["6.0.RC1 and 6.0.1"]
    rows = [
        row(header, "a.Conv", us, start) | {"Infer ID": run} for run, us, start in (("1", "5", "1"), ("2", "7", "2"))
    ]
    table(tmp_path, header, *rows)
    assert op_summary.layers_of(str(tmp_path), 20)[0]["ns"] == 6000


def test_units_come_from_the_header_and_the_time_on_the_core_is_the_second_choice(tmp_path):
    table(tmp_path, "Op Name,Task Duration(ns)", {"Op Name": "a", "Task Duration(ns)": "1500"}, name="op_summary_1.csv")
    table(tmp_path, "Op Name,Aicore Time(us)", {"Op Name": "b", "Aicore Time(us)": "2.5"}, name="op_summary_2.csv")
    rows = [op_summary.read_summary(str(path))[0] for path in sorted(tmp_path.iterdir())]
    assert [(found.name, found.ns) for found in rows] == [("a", 1500.0), ("b", 2500.0)]


def test_columns_that_are_not_told_stay_unknown(tmp_path):
    header = HEADERS["8.x"]
    table(tmp_path, header, row(header, "a.Conv", "10", "1", kind="N/A", task="N/A"))
    layer = op_summary.layers_of(str(tmp_path), 1)[0]
    assert layer["kind"] == "unknown"
    assert layer["note"] == ""


@pytest.mark.parametrize("separator", [",", ";", " ", ", "])
def test_fused_operators_are_mapped_to_their_nodes(tmp_path, separator):
    header = HEADERS["5.x"]
    table(
        tmp_path,
        header,
        row(header, "aConvRelu", "10", "1"),
        row(header, "trans_TransData_3", "2", "2", kind="TransData"),
        row(header, "slow", "90", "3", task="AI_CPU"),
    )
    (tmp_path / "fusion_op_0_1.csv").write_text(
        "Model Name,Model ID,Fusion Op,Original Ops,Memory Input(KB)\n"
        f'm,1,aConvRelu,"a.Conv{separator}a.Relu",4\nm,1,slow,decoder.Resize,1\n'
    )
    layers = op_summary.layers_of(str(tmp_path), 1)
    assert [layer["nodes"] for layer in layers] == [["a.Conv", "a.Relu"], [], ["decoder.Resize"]]
    assert layers[1]["note"] == "inserted by ATC"
    assert layers[2]["note"].endswith("caused by decoder.Resize")


def test_a_table_of_nothing_is_refused(tmp_path):
    table(tmp_path, "Model ID,Task ID", {"Model ID": "1"})
    with pytest.raises(RpcError, match="hold no operator"):
        op_summary.layers_of(str(tmp_path), 1)


def layers(board: Board) -> tuple[dict, Path]:
    """Asks the agent of a board for layers; returns its reply and where compiled models are."""
    with board.agent() as agent:
        hello = board.hello(agent)
        model = add(hello, small_model())
        assert "result" in agent.call("load", model=model, format="onnx")
        reply = agent.call("layers", model=model, runs=3)
        assert agent.call("time", models=[model], min_samples=1, max_samples=1, min_ns=0, max_warmup=1)["params"]
        agent.receive()
    log = board.log()
    assert not [line for line in log if line.startswith(("WRONG", "FORBIDDEN"))]
    assert [line for line in log if line.startswith("LEFT")] == ["LEFT "] * 2
    return reply, Path(hello["models"]).parent / "built" / profiling.FOLDER


@pytest.mark.parametrize(("chip", "cann", "run_mode"), [("Ascend310", "5.1", 0), ("Ascend310B1", "6.0", 1)])
def test_layers_come_from_a_process_of_its_own_and_fallbacks_are_named(tmp_path, chip, cann, run_mode):
    board = Board(tmp_path, chip, cann, run_mode, extra={"ASCEND_STANDIN_AI_CPU": "Resize"})
    reply, raw = layers(board)
    found = reply["result"]
    assert [layer["nodes"] for layer in found] == [
        [],
        ["encoder.stem.conv1.conv.Conv", "encoder.stem.conv1.Relu"],
        ["decoder.Resize"],
    ]
    assert [layer["ns"] for layer in found] == [3500, 10_000, 11_000]
    assert found[2]["note"] == "runs on AI CPU, not on the AI cores; caused by decoder.Resize"
    assert not raw.exists()
    log = board.log()
    start = log.index("acl.prof.init")
    order = ["acl.prof.init", "acl.mdl.load_from_file", "acl.prof.create_config", "acl.prof.start", "acl.mdl.execute"]
    order += ["acl.prof.stop", "acl.prof.destroy_config", "acl.mdl.unload", "acl.prof.finalize", "acl.finalize"]
    places = [log.index(call, start) if call != "acl.mdl.execute" else log.index("acl.prof.stop") - 1 for call in order]
    assert places == sorted(places)
    assert log[log.index("acl.prof.start") + 1 : log.index("acl.prof.stop")] == ["acl.mdl.execute"] * 3


@pytest.mark.parametrize(
    ("board", "words"),
    [
        ({"chip": "Ascend310B4"}, "This board cannot make tables of the profiler's raw data itself"),
        ({"toolkit": False}, "There is no msprof on the device: it belongs to the toolkit."),
        ({"extra": {"ASCEND_STANDIN_MSPROF": "broken"}}, "it said: [ERROR] The data were collected by another version"),
    ],
)
def test_raw_data_that_cannot_be_read_there_stay_and_the_place_is_told(tmp_path, board, words):
    reply, raw = layers(Board(tmp_path, **board))
    assert words in reply["error"]["message"]
    assert f"The raw data are in {raw} on the device" in reply["error"]["message"]
    assert list(raw.glob("PROF_*"))


def test_a_profiler_that_does_not_start_says_its_number(tmp_path):
    reply, _ = layers(Board(tmp_path, extra={"ASCEND_STANDIN_FAIL": "acl.prof.start=100042"}))
    assert "acl.prof.start returned 100042: the profiler is running already" in reply["error"]["message"]


def test_both_forms_of_the_export_are_known(tmp_path):
    home = tmp_path / "toolkit"
    for name in ("tools/profiler/bin/msprof", "tools/profiler/profiler_tool/analysis/msprof/msprof.py"):
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text("")
    (tmp_path / "out" / "PROF_1").mkdir(parents=True)
    new, old = profiling.exporters({"ASCEND_TOOLKIT_HOME": str(home)}, str(tmp_path / "out"))
    assert new == [[str(home / "tools/profiler/bin/msprof"), "--export=on", f"--output={tmp_path / 'out'}"]]
    assert [command[2:] for command in old] == [
        ["import", "-dir", str(tmp_path / "out" / "PROF_1")],
        ["export", "summary", "-dir", str(tmp_path / "out" / "PROF_1"), "--format", "csv"],
    ]

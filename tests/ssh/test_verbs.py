"""run, put, get over a real sshd, in a non-interactive shell of any kind."""

from __future__ import annotations

from mosegedge.devices import connect


def test_files_arrive_whole_and_come_back(board, tmp_path):
    with connect(board) as connection:
        assert connection.cache == str(tmp_path / "remote home/.cache/mosegedge")
        path = f"{connection.cache}/a folder/model"
        connection.put(b"content", path)
        assert connection.get(path) == b"content"
        big = bytes(range(256)) * 20000
        connection.put(big, path)
        assert connection.get(path) == big


def test_a_program_runs_with_its_streams_and_status(board):
    program = "import sys; sys.stderr.write('aside'); print(sys.stdin.readline().upper() + sys.argv[1]); sys.exit(7)"
    with connect(board) as connection:
        process = connection.run(["-c", program, 'it\'s $HOME "x" *'])
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert process.stdout.read() == b'HELLO\nit\'s $HOME "x" *\n'
        assert process.stderr.read() == b"aside"
        assert process.wait(10) == 7

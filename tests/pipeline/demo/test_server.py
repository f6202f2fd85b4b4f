"""The demo's server: files by host, answers as told, every request counted."""

import http.client
import json

import pytest

from weft.pipeline.demo import server


@pytest.fixture
def port(tmp_path):
    (tmp_path / "www/a.test/img").mkdir(parents=True)
    (tmp_path / "www/a.test/img/caf%C3%A9%20x.jpg").write_bytes(b"picture")
    (tmp_path / "www/a.test/gone").write_bytes(b"sorry")
    (tmp_path / "secret").write_bytes(b"secret")
    told = {"a.test/gone": {"status": 302, "headers": {"Location": "/img"}}}
    (tmp_path / "www" / server.BEHAVIOUR).write_text(json.dumps(told))
    with server.serve(str(tmp_path)) as port:
        yield port


def get(port, host, target):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", target, headers={"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.getheader("Location"), answer.read()


def test_one_file_however_its_name_is_escaped():
    escaped, bare = server.file_of("a", "/caf%C3%A9%20x?y=1"), server.file_of("a", "/caf\u00e9 x?y=1")
    assert escaped == bare == "a/caf%C3%A9%20x%3Fy%3D1"


def test_answers_are_those_of_the_host_and_as_told(port):
    assert get(port, "A.test:80", "/img/caf%C3%A9%20x.jpg") == (200, None, b"picture")
    assert get(port, "b.test", "/img/caf%C3%A9%20x.jpg")[0] == 404
    assert get(port, "a.test", "/gone") == (302, "/img", b"sorry")
    assert get(port, "a.test", "/../../secret")[0] == 404
    assert get(port, "a.test", "/img")[0] == 404, "a directory"
    assert server.requests["a.test/gone"] == 1 and server.requests.total() == 5


def test_a_new_server_counts_from_nothing(port, tmp_path):
    get(port, "a.test", "/gone")
    with server.serve(str(tmp_path)):
        assert server.requests.total() == 0

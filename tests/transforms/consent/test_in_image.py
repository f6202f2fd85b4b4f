"""A picture that says of itself that it is not to be trained on is told by its bytes."""

import io

import pytest
from consent_cases import CASES, named
from PIL import Image

from weft.transforms.consent import in_image

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/">
<plus:DataMining>http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING</plus:DataMining>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("case", CASES["image"], ids=named)
def test_words_of_a_file(case):
    assert in_image.read(b"\xff\xd8\xff" + case["bytes"].encode() + b"\x00\xff") == case["words"]


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_file_with_metadata_in_its_form(form):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, form, xmp=XMP.encode())
    assert in_image.read(stream.getvalue()) == "XMP plus:DataMining: DMI-PROHIBITED-AIMLTRAINING"
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, form)
    assert in_image.read(stream.getvalue()) == ""

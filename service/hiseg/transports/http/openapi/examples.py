"""Requests that can be sent as they stand, and what they were answered, for the document of the API."""

from __future__ import annotations

from typing import Any

IMAGE = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCN"
    "l4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wAAR"
    "CAA8AHADASIAAhEBAxEB/8QAGwAAAwADAQEAAAAAAAAAAAAAAwQFAQIGAAf/xAA3EAACAQMDAgQDBQYHAAAAAAABAgMABBEFEiETMSJBUXEU"
    "QmEVI1KBwQYkMpGh0TM0YnKC4fD/xAAZAQACAwEAAAAAAAAAAAAAAAABAgMEBQD/xAAfEQEAAwADAQADAQAAAAAAAAABAAIRAyExEhMyQVH/"
    "2gAMAwEAAhEDEQA/AJ2mTzR6pJ14xiSXbI+OzEdv510oAJx5VyGnwdfUxEZiqA7uD/EQeK69Rk59aN/Y2QN3erApSIBpsZAPYUJr6SODqqQ2"
    "OWJHGK89lK2piVtnQK/N5NjHNev7SKWBkUIjKuSVJGfyqBXYwdRuyuVvYOqnrgj0NEum/c5jjlVPPpU/QLeeCyLTAgyHcFPfGKfuIDNazoc4"
    "KHPJFOdkWSdJUlLheTGJAEJ9uaW1aymuZIorZCz+JsewzTH7OydS1kVjkiXv/wAa018yxCF4CwYFsle4yMfrTcZ5OtOeKSiEHa3TZu4HBPI/"
    "vTyvcag9tFkO/RZVyceo5P5UBNSmENrG+Hjt5N6qR55odw8t1JGyKd8m7wr/ALjx7VLd/wBik6K3gTULj4YTxAW8SjfCuFY+ffvzWkVl1TcJ"
    "HKjSwuV6ZOGYDzHrU9dL1poAm4mP8BkrN1ba1HBmSTft58LZYUleVH2M8e/yGwKyvBzQ7EGSzjZiScc596Y2Yq8Omyo9MDrNgtnOs1qNiKcc"
    "fKfWrFlerJpguZB4l8JA82pK3ul1K1dJhmTADj1+teFnHHZGBSz5bfz5msy1yrNT4b1+f6RJdavINUjF/KUh7tGq5C5HHv5U7Lr9h1kO7KZA"
    "OAScVI1D946UVwwilU4EjDgj3FK/Zcu4NvjePdyUcdvXFNg9yv3XqfQo3WaNZYmDowyGHmK8cmGY442EVC0G7S2R7YPujBzn8NUdQvGt1PTU"
    "yLtLMN2BiiJs5EJN0WzlsHKTEESHepHYjFe12/e1hXpBT1QyNuHlxWLG/kkSFJTtO9xtOOCOKW12aH4UrIu5yfuyPlPnRPYsk3V3DcTRydAI"
    "ioFKr5kDvTmmWsklusyhkwCBJjtyamQiM3K7gWiDcj1FdZdOY7dRaqmMeEHtjFLzWAyS8VXdmbCGZZNz3AJf5e+BQpbI9SRviG54IHcGtkHW"
    "Csqq2VHhby9uRXiBCTgAO2PAO3viq5rLKAQSQiNQoGAK220Q8kmtTWtXqoMybI2UiUFi9nfTh8naAqEfMPWnWcBOcgg+fnTM8yzZZDuBwQwq"
    "fcSDeASDkjFZF/2m3xq17mbm2SdMSLkHnPpU/wCzYv4FMik8nngCqQwsRkkbxEHaN4zn2pnRnD3EjsoIbanP1BzUjS3GhvshbVuLnkn20CQI"
    "6ouODz60h+0F7IxtVRsDp8/Xmt77UGtrfpoo3EnB/oaWsNekskf7iOaQjCu/yj2o0pjuyPl5BPnJM+ImwQJXAJyeazEGIY84GBmugt72w10f"
    "DajBFbXTcR3Ma7cn/UKVsrI2/wBq21yo3xJz7g8EVNuSsGweoC1tJulauZABhvofehS6pcPCsSkIqrtyO5HvSZOeT3NYofI+x3ksmTqtRtDh"
    "XBZVdQyuh7qe39qX1KH4PRVkO5ZZpFEZJ5IHJNZ0yXVNZt4bG1kWCK2QhpD5+mT7VN1W6uZpVt7mcT/C5jVx2bnv/wC9KUpjsLybXIa11uVA"
    "BcIJB+IcGqdtqFvdHajEP+Fhg1zGazFKYZkkXurA1ZORPZXajLOnzqFVXBZixCgelPT24lI2gJgg8UldRpDqD9MYBw2PTmtvjZRB4dqko7Eg"
    "c8DNZ7XbYTXL5X6jRt55FMiwlIwcb25GfajaeoVmLTcxlW28ZPOP1zSGiTSta3LM5O8AkeXJAotuS2rwxscruLDPkSP+hTtcsDIPyfVGc9fy"
    "GS5fdnKnAoupGw6FmtiCZBF9+xBGX/Og6j/npz6uT/WlqmPJTs6yjcwwR6fBLF/iHuadN00trcXD53y2yISfmIO0n+WKhF2KhSxIHYZp6Tw2"
    "2wdsj3rmGvs9Y3rWTSFI45N67SHGcD6US91BLyNR8JDE4Od0Yxmka9TRY9YanPYRTxwnAmXaee31peIpvHV3FfPb3Nb26I1vcFkBZVBU+YoN"
    "Ddh8lB7qzaMqLTBI9e360hKUaQmNNi+QzmtSTitaMLZTJ//Z"
)
"""Two people, 112 x 60 pixels: a JPEG in base64."""
BOXES = [[3, 2, 43, 60], [62, 2, 112, 60]]
SEGMENTED: dict[str, Any] = {
    "image": {"width": 112, "height": 60, "notes": []},
    "model": {"name": "hiseg_b0", "version": "2", "variant": "b0", "engine": "onnx", "precision": "fp32"},
    "instances": [
        {
            "box": [3.0, 2.0, 43.0, 60.0],
            "score": 0.9474747776985168,
            "area": 1674,
            "mask": {
                "format": "coco_rle",
                "size": [60, 112],
                "counts": (
                    "Z1a0X14QO]O>h0BWO>j091O100O1N2N20000N2M3O1O00100DnNMS12POLP13>N100O1000000000O11"
                    "O01O0dN2j0OTO3j0OTO3h03TONj0d0J5N3L4N2N2O2M_P4"
                ),
            },
        },
        {
            "box": [62.0, 2.0, 112.0, 60.0],
            "score": 0.9524780511856079,
            "area": 1933,
            "mask": {
                "format": "coco_rle",
                "size": [60, 112],
                "counts": (
                    "Pd331N`1<J4M3O1O1O2N1M3L4N2O1O1H8J6N2O1N200O100O10000000000001O0000001O001O2oNK7"
                    "7DM;k0O001O001O001O00001O001O1O1NhN"
                ),
            },
        },
    ],
    "timings_ms": {"decode": 0.8, "queue": 0.2, "infer": 36.6, "masks": 0.3, "encode": 0.5},
}
INFER: dict[str, Any] = {
    "inputs": [
        {"name": "image", "shape": [1], "datatype": "BYTES", "data": [IMAGE]},
        {"name": "boxes", "shape": [2, 4], "datatype": "FP32", "data": [3, 2, 43, 60, 62, 2, 112, 60]},
    ],
    "outputs": [{"name": "scores"}, {"name": "areas"}],
}
INFERRED: dict[str, Any] = {
    "model_name": "hiseg_b0",
    "model_version": "2",
    "parameters": {"decode_ms": 10.6, "queue_ms": 0.3, "infer_ms": 26.6, "masks_ms": 0.3, "encode_ms": 0.3},
    "outputs": [
        {"name": "scores", "datatype": "FP32", "shape": [2], "data": [0.9474747776985168, 0.9524780511856079]},
        {"name": "areas", "datatype": "INT64", "shape": [2], "data": [1674, 1933]},
    ],
}
LABEL_CONFIG = (
    '<View><Image name="image" value="$image"/>'
    '<BrushLabels name="tag" toName="image"><Label value="person"/></BrushLabels>'
    '<RectangleLabels name="box" toName="image"><Label value="person"/></RectangleLabels></View>'
)
PREDICT: dict[str, Any] = {
    "label_config": LABEL_CONFIG,
    "tasks": [
        {
            "id": 1,
            "data": {"image": "data:image/jpeg;base64," + IMAGE},
            "annotations": [
                {
                    "result": [
                        {
                            "type": "rectanglelabels",
                            "from_name": "box",
                            "to_name": "image",
                            "original_width": 112,
                            "original_height": 60,
                            "value": {
                                "x": 2.0,
                                "y": 3.0,
                                "width": 36.0,
                                "height": 97.0,
                                "rotation": 0,
                                "rectanglelabels": ["person"],
                            },
                        }
                    ]
                }
            ],
        }
    ],
}

"""Files as the Supervisely SDK 6.74 writes them, for tests: a project of images and a video."""

from __future__ import annotations

__all__ = ["IMAGE", "META", "VIDEO"]

META = {
    "classes": [
        {
            "title": "rect",
            "description": "",
            "shape": "rectangle",
            "color": "#8A180F",
            "geometry_config": {},
        },
        {
            "title": "poly",
            "description": "",
            "shape": "polygon",
            "color": "#690F8A",
            "geometry_config": {},
        },
        {
            "title": "line",
            "description": "",
            "shape": "line",
            "color": "#8A8A0F",
            "geometry_config": {},
        },
        {
            "title": "bm",
            "description": "",
            "shape": "bitmap",
            "color": "#8A7D0F",
            "geometry_config": {},
        },
        {
            "title": "am",
            "description": "",
            "shape": "alpha_mask",
            "color": "#0F8A44",
            "geometry_config": {},
        },
        {
            "title": "pt",
            "description": "",
            "shape": "point",
            "color": "#4C0F8A",
            "geometry_config": {},
        },
        {
            "title": "ob",
            "description": "",
            "shape": "oriented_bbox",
            "color": "#8A0F6C",
            "geometry_config": {},
        },
        {
            "title": "cub",
            "description": "",
            "shape": "cuboid",
            "color": "#0F8A42",
            "geometry_config": {},
        },
        {
            "title": "anyc",
            "description": "",
            "shape": "any",
            "color": "#4B0F8A",
            "geometry_config": {},
        },
        {
            "title": "mp",
            "description": "",
            "shape": "multipolygon",
            "color": "#0F8A42",
            "geometry_config": {},
        },
        {
            "title": "kp",
            "description": "",
            "shape": "graph",
            "color": "#8A190F",
            "geometry_config": {
                "nodes": {
                    "nose": {"label": "nose", "loc": [10, 20], "color": "#0000FF"},
                    "ear": {"label": "ear", "loc": [30, 40], "color": "#0000FF"},
                },
                "edges": [{"src": "nose", "dst": "ear", "color": "#00FF00"}],
            },
        },
    ],
    "tags": [
        {
            "name": "none",
            "value_type": "none",
            "color": "#8A0F49",
            "applicable_type": "all",
            "classes": [],
            "target_type": "all",
        },
        {
            "name": "num",
            "value_type": "any_number",
            "color": "#8A0F3B",
            "applicable_type": "all",
            "classes": [],
            "target_type": "all",
        },
        {
            "name": "one",
            "value_type": "oneof_string",
            "color": "#0F8A47",
            "values": ["a", "b"],
            "applicable_type": "all",
            "classes": [],
            "target_type": "all",
        },
    ],
    "projectSettings": {
        "multiView": {"enabled": False, "tagName": None, "tagId": None, "isSynced": False}
    },
}

IMAGE = {
    "description": "desc",
    "size": {"height": 30, "width": 40},
    "tags": [{"name": "none"}],
    "objects": [
        {
            "classTitle": "rect",
            "description": "hi",
            "tags": [{"name": "num", "value": 5}, {"name": "one", "value": "a"}],
            "points": {"exterior": [[3, 2], [12, 9]], "interior": []},
            "geometryType": "rectangle",
        },
        {
            "classTitle": "poly",
            "description": "",
            "tags": [],
            "points": {
                "exterior": [[0, 0], [20, 0], [20, 20]],
                "interior": [[[5, 2], [8, 2], [8, 4]]],
            },
            "geometryType": "polygon",
        },
        {
            "classTitle": "line",
            "description": "",
            "tags": [],
            "points": {"exterior": [[1, 2], [3, 4]], "interior": []},
            "geometryType": "line",
        },
        {
            "classTitle": "bm",
            "description": "",
            "tags": [],
            "bitmap": {
                "origin": [5, 3],
                "data": (
                    "eJzrDPBz5+WS4mJgYOD19HAJAtIgNhsjM5A8YDe3FcQJ8AlxBdL///9fenP+XSCLsSTIL5jB4dmN"
                    "NCBHytPFMaRiTvKf+gmdjY0vGZknMzELM4MQg4Ys05l3mosTgaoYPF39XNY5JTQBABPpHjA="
                ),
            },
            "geometryType": "bitmap",
        },
        {
            "classTitle": "am",
            "description": "",
            "tags": [],
            "bitmap": {
                "origin": [3, 2],
                "data": (
                    "eJzrDPBz5+WS4mJgYOD19HAJAtLMQMzEASQYdshbHgNxSoL8ghkYyiaftQDyBDxdHEMq5iT7JCYk"
                    "JCUkAKWvMGS4GXPeAOnwdPVzWeeU0AQAvDsS+g=="
                ),
            },
            "geometryType": "alpha_mask",
        },
        {
            "classTitle": "pt",
            "description": "",
            "tags": [],
            "points": {"exterior": [[8, 7]], "interior": []},
            "geometryType": "point",
        },
        {
            "classTitle": "ob",
            "description": "",
            "tags": [],
            "points": [[3, 2], [12, 9]],
            "angle": 0.5235987755982988,
            "geometryType": "oriented_bbox",
        },
        {
            "classTitle": "cub",
            "description": "",
            "tags": [],
            "points": [[0, 4], [4, 4], [4, 8], [0, 8], [2, 2], [6, 2], [6, 6]],
            "faces": [[0, 1, 2, 3], [0, 4, 5, 1], [1, 5, 6, 2]],
            "geometryType": "cuboid",
        },
        {
            "classTitle": "kp",
            "description": "",
            "tags": [],
            "nodes": {"nose": {"loc": [6, 5]}, "ear": {"loc": [8, 7], "disabled": True}},
            "geometryType": "graph",
        },
        {
            "classTitle": "anyc",
            "description": "",
            "tags": [],
            "points": {"exterior": [[1, 1], [2, 2]], "interior": []},
            "geometryType": "rectangle",
        },
        {
            "classTitle": "mp",
            "description": "",
            "tags": [],
            "parts": [
                {"exterior": [[0, 0], [9, 0], [9, 9]], "interior": []},
                {"exterior": [[20, 20], [25, 20], [25, 25]], "interior": []},
            ],
            "geometryType": "multipolygon",
        },
    ],
    "customBigData": {},
}

VIDEO = {
    "size": {"height": 30, "width": 40},
    "description": "",
    "key": "k1",
    "tags": [{"name": "none", "isFinished": True, "nonFinalValue": False, "key": "k3"}],
    "objects": [
        {
            "key": "k4",
            "classTitle": "rect",
            "tags": [
                {
                    "name": "num",
                    "value": 3,
                    "frameRange": [1, 2],
                    "isFinished": True,
                    "nonFinalValue": False,
                    "key": "k0",
                }
            ],
        }
    ],
    "frames": [
        {
            "index": 0,
            "figures": [
                {
                    "key": "k5",
                    "objectKey": "k4",
                    "geometryType": "rectangle",
                    "geometry": {"points": {"exterior": [[3, 2], [12, 9]], "interior": []}},
                    "nnCreated": False,
                    "nnUpdated": False,
                }
            ],
        },
        {
            "index": 2,
            "figures": [
                {
                    "key": "k2",
                    "objectKey": "k4",
                    "geometryType": "rectangle",
                    "geometry": {"points": {"exterior": [[5, 2], [14, 9]], "interior": []}},
                    "nnCreated": False,
                    "nnUpdated": False,
                }
            ],
        },
    ],
    "framesCount": 5,
}

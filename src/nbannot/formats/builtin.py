"""The table of built-in formats: name → where its class is, in alphabetical order."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BUILT_IN", "JSON_KEYS", "Place"]


class Place(NamedTuple):
    """Where the class of a format is, and what detection can say without importing it.

    One of `suffixes` must occur among the files of a source; (): the format looks in any case.
    """

    where: str
    title: str
    suffixes: tuple[str, ...] = ()


BUILT_IN: dict[str, Place] = {
    "activitynet": Place("nbannot.formats.activitynet:ActivityNet", "ActivityNet", (".json",)),
    "ade20k": Place("nbannot.formats.ade20k:Ade20k", "ADE20K", (".txt", ".json")),
    "audacity": Place("nbannot.formats.audacity:Audacity", "Audacity labels", (".txt",)),
    "automl": Place(
        "nbannot.formats.automl:AutoML", "AutoML / Vertex AI", (".csv", ".jsonl", ".json")
    ),
    "ava": Place("nbannot.formats.ava:Ava", "AVA actions", (".csv",)),
    "bdd100k": Place("nbannot.formats.bdd100k:BDD100K", "BDD100K", (".json",)),
    "brat": Place("nbannot.formats.brat:Brat", "brat", (".ann", ".a1", ".a2", ".rel")),
    "camvid": Place(
        "nbannot.formats.camvid:CamVid",
        "CamVid",
        (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"),
    ),
    "celeba": Place("nbannot.formats.celeba:CelebA", "CelebA", (".txt", ".csv")),
    "cifar": Place("nbannot.formats.cifar:Cifar", "CIFAR-10/100", ("", ".meta", ".pkl", ".pickle")),
    "cityscapes": Place("nbannot.formats.cityscapes:Cityscapes", "Cityscapes", (".png", ".json")),
    "coco": Place("nbannot.formats.coco:Coco", "COCO", (".json", ".jsonl")),
    "conll": Place(
        "nbannot.formats.conll:Conll",
        "CoNLL",
        (
            ".conll",
            ".conllu",
            ".conllup",
            ".conll03",
            ".bio",
            ".bioes",
            ".iob",
            ".iob2",
            ".ner",
            ".train",
            ".dev",
            ".test",
            ".testa",
            ".testb",
            ".annotated",
            ".txt",
            ".tsv",
            ".data",
            "",
        ),
    ),
    "createml": Place("nbannot.formats.createml:CreateML", "CreateML", (".json",)),
    "ctm": Place("nbannot.formats.nist:Ctm", "CTM", (".ctm",)),
    "cvat": Place("nbannot.formats.cvat:Cvat", "CVAT for images", (".xml",)),
    "cvat-tsv": Place("nbannot.formats.cvat_tsv:CvatTsv", "CVAT Generic TSV", (".tsv",)),
    "cvat-video": Place("nbannot.formats.cvat:CvatVideo", "CVAT for video", (".xml",)),
    "darwin": Place("nbannot.formats.darwin:Darwin", "Darwin JSON (V7)", (".json",)),
    "dataloop": Place("nbannot.formats.dataloop:Dataloop", "Dataloop", (".json",)),
    "datumaro": Place("nbannot.formats.datumaro:DatumaroJson", "Datumaro", (".json",)),
    "doccano": Place(
        "nbannot.formats.doccano:Doccano", "doccano", (".jsonl", ".json", ".csv", ".tsv", ".ndjson")
    ),
    "dota": Place("nbannot.formats.dota:Dota", "DOTA", (".txt",)),
    "fasttext": Place(
        "nbannot.formats.fasttext:FastText",
        "fastText",
        (".txt", ".train", ".valid", ".test", ".dev", ".ft", ".fasttext", ".csv", ".tsv", ""),
    ),
    "fiftyone": Place("nbannot.formats.fiftyone:FiftyOne", "FiftyOne dataset", (".json",)),
    "fiftyone-labels": Place(
        "nbannot.formats.fiftyone:FiftyOneLabels", "FiftyOne image labels", (".json",)
    ),
    "hf-folder": Place(
        "nbannot.formats.hf:HfFolder", "Hugging Face folder", (".jsonl", ".csv", ".parquet")
    ),
    "hf-parquet": Place("nbannot.formats.hf:HfParquet", "Hugging Face parquet", (".parquet",)),
    "icdar": Place("nbannot.formats.icdar:Icdar", "ICDAR", (".txt",)),
    "imagefolder": Place("nbannot.formats.imagefolder:ImageFolder", "Image folder"),
    "imagenet-txt": Place(
        "nbannot.formats.imagenet_txt:ImagenetTxt", "ImageNet (text lists)", (".txt",)
    ),
    "kaldi": Place("nbannot.formats.kaldi:Kaldi", "Kaldi data directory", (".scp",)),
    "kinetics": Place("nbannot.formats.kinetics:Kinetics", "Kinetics", (".csv", ".json")),
    "kitti": Place("nbannot.formats.kitti:Kitti", "KITTI", (".txt",)),
    "kitti-segmentation": Place(
        "nbannot.formats.kitti_segmentation:KittiSegmentation", "KITTI segmentation", (".png",)
    ),
    "labelbox": Place(
        "nbannot.formats.labelbox:Labelbox", "Labelbox", (".json", ".ndjson", ".jsonl")
    ),
    "labelme": Place("nbannot.formats.labelme:LabelMe", "LabelMe", (".json",)),
    "labelme-xml": Place("nbannot.formats.labelme_xml:LabelMeXml", "LabelMe XML", (".xml",)),
    "labelstudio": Place("nbannot.formats.labelstudio:LabelStudio", "Label Studio"),
    "lfw": Place("nbannot.formats.lfw:Lfw", "LFW", (".txt",)),
    "mapillary": Place("nbannot.formats.mapillary:Mapillary", "Mapillary Vistas", (".json",)),
    "market1501": Place(
        "nbannot.formats.market1501:Market1501",
        "Market-1501",
        (".jpg", ".jpeg", ".png", ".bmp", ".txt"),
    ),
    "masks": Place(
        "nbannot.formats.masks:Masks",
        "Segmentation masks",
        (".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg", ".webp"),
    ),
    "mnist": Place(
        "nbannot.formats.mnist:Mnist",
        "MNIST (idx, CSV)",
        (".gz", ".csv", ".idx3-ubyte", ".idx1-ubyte", ""),
    ),
    "mot": Place("nbannot.formats.mot:Mot", "MOT Challenge", (".txt", ".ini", ".csv")),
    "mots": Place("nbannot.formats.mots:Mots", "MOTS", (".png", ".txt")),
    "mpii": Place("nbannot.formats.mpii:Mpii", "MPII Human Pose", (".json", ".mat")),
    "openimages": Place("nbannot.formats.openimages:OpenImages", "Open Images", (".csv",)),
    "prodigy": Place("nbannot.formats.prodigy:Prodigy", "Prodigy", (".jsonl", ".json", ".ndjson")),
    "raven": Place(
        "nbannot.formats.raven:Raven", "Raven selection table", (".txt", ".tsv", ".csv")
    ),
    "rttm": Place("nbannot.formats.nist:Rttm", "RTTM", (".rttm",)),
    "sa1b": Place("nbannot.formats.sa1b:Sa1b", "Segment Anything (SA-1B)", (".json",)),
    "sagemaker": Place(
        "nbannot.formats.sagemaker:SageMaker",
        "SageMaker Ground Truth",
        (".manifest", ".jsonl", ".json"),
    ),
    "scale": Place("nbannot.formats.scale:Scale", "Scale AI", (".json", ".ndjson", ".jsonl")),
    "spacy": Place("nbannot.formats.spacy:Spacy", "spaCy", (".json", ".jsonl", ".spacy")),
    "superannotate": Place(
        "nbannot.formats.superannotate:SuperAnnotate", "SuperAnnotate", (".json",)
    ),
    "supervisely": Place("nbannot.formats.supervisely:Supervisely", "Supervisely", (".json",)),
    "table": Place("nbannot.formats.table:Table", "Table"),
    "textgrid": Place("nbannot.formats.textgrid:TextGrid", "Praat TextGrid", (".textgrid",)),
    "tfrecord": Place("nbannot.formats.tfrecord:TFRecord", "TFRecord (Object Detection API)"),
    "vggface2": Place("nbannot.formats.vggface2:VggFace2", "VGGFace2", (".csv",)),
    "via": Place("nbannot.formats.via:Via", "VIA (VGG Image Annotator)", (".json", ".csv")),
    "voc": Place("nbannot.formats.voc:Voc", "Pascal VOC"),
    "vott": Place("nbannot.formats.vott:Vott", "VoTT", (".json", ".csv")),
    "widerface": Place("nbannot.formats.widerface:WiderFace", "WIDER Face", (".txt",)),
    "yolo": Place("nbannot.formats.yolo:Yolo", "YOLO (Ultralytics)"),
    "yolo-darknet": Place("nbannot.formats.yolo:YoloDarknet", "YOLO (Darknet)"),
}
assert list(BUILT_IN) == sorted(BUILT_IN), "the table of formats is not in alphabetical order"

JSON_KEYS: dict[str, tuple[str, ...]] = {
    "activitynet": ("database", "results"),
    "ade20k": ("annotation",),
    "automl": ("imageGcsUri", "imagePayload", "textGcsUri", "textContent", "videoGcsUri"),
    "bdd100k": ("labels", "frames"),
    "cityscapes": ("imgHeight", "imgWidth"),
    "createml": ("image", "imagefilename", "imageFilename", "filename"),
    "darwin": ("item", "workview_url"),
    "dataloop": ("filename",),
    "datumaro": ("items", "dm_format_version", "media_type", "labels"),
    "fiftyone": ("filepath",),
    "fiftyone-labels": ("labels", "objects"),
    "imagefolder": (),
    "kinetics": ("segment", "subset"),
    "labelbox": ("Labeled Data", "data_row", "dataRow"),
    "labelme": ("shapes", "imagePath", "lineColor"),
    "mapillary": ("labels", "panoptic", "polygons", "objects"),
    "mpii": ("joint_self",),
    "prodigy": ("text", "spans", "image", "audio", "html", "options", "answer", "_task_hash"),
    "sa1b": ("predicted_iou", "stability_score", "crop_box"),
    "scale": ("task_id", "reference_id"),
    "spacy": ("entities", "text", "paragraphs", "cats"),
    "superannotate": ("instances", "className"),
    "supervisely": ("classes", "objects"),
    "tfrecord": (),
    "via": ("_via_img_metadata", "_via_settings", "regions", "view", "file"),
    "voc": (),
    "vott": ("assets", "asset"),
    "yolo": (),
    "yolo-darknet": (),
}
"""Of a JSON file that is looked at alone: it has one of these keys, or is not of the format.

(): a JSON file alone is never a dataset of the format. Formats that are not named are asked.
"""

from .coco_json import Document
class PanopticReader: pass
def is_panoptic(document): return bool(document.annotations) and b'"segments_info"' in bytes(document.annotations[0])

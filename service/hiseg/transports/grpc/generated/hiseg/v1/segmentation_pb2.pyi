from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BoxFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BOX_FORMAT_UNSPECIFIED: _ClassVar[BoxFormat]
    BOX_FORMAT_XYXY: _ClassVar[BoxFormat]
    BOX_FORMAT_XYWH: _ClassVar[BoxFormat]
    BOX_FORMAT_CXCYWH: _ClassVar[BoxFormat]

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_INSTANCE: _ClassVar[Mode]
    MODE_BINARY: _ClassVar[Mode]

class MaskFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MASK_FORMAT_UNSPECIFIED: _ClassVar[MaskFormat]
    MASK_FORMAT_COCO_RLE: _ClassVar[MaskFormat]
    MASK_FORMAT_PNG: _ClassVar[MaskFormat]
    MASK_FORMAT_LABEL_MAP: _ClassVar[MaskFormat]
    MASK_FORMAT_OVERLAY: _ClassVar[MaskFormat]
    MASK_FORMAT_COCO_RLE_UNCOMPRESSED: _ClassVar[MaskFormat]
    MASK_FORMAT_POLYGON: _ClassVar[MaskFormat]
    MASK_FORMAT_CUTOUT: _ClassVar[MaskFormat]
    MASK_FORMAT_PACKED: _ClassVar[MaskFormat]

class Smoothing(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SMOOTHING_UNSPECIFIED: _ClassVar[Smoothing]
    SMOOTHING_NONE: _ClassVar[Smoothing]
    SMOOTHING_EDGE: _ClassVar[Smoothing]
    SMOOTHING_BILATERAL: _ClassVar[Smoothing]

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_INTERACTIVE: _ClassVar[Priority]
    PRIORITY_BATCH: _ClassVar[Priority]

class ForegroundSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FOREGROUND_SOURCE_UNSPECIFIED: _ClassVar[ForegroundSource]
    FOREGROUND_SOURCE_INSTANCES: _ClassVar[ForegroundSource]
    FOREGROUND_SOURCE_IMAGE: _ClassVar[ForegroundSource]

class PixelFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PIXEL_FORMAT_UNSPECIFIED: _ClassVar[PixelFormat]
    PIXEL_FORMAT_RGB24: _ClassVar[PixelFormat]
    PIXEL_FORMAT_BGR24: _ClassVar[PixelFormat]
    PIXEL_FORMAT_NV12: _ClassVar[PixelFormat]

class StreamPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STREAM_POLICY_UNSPECIFIED: _ClassVar[StreamPolicy]
    STREAM_POLICY_WAIT: _ClassVar[StreamPolicy]
    STREAM_POLICY_DROP_OLDEST: _ClassVar[StreamPolicy]
    STREAM_POLICY_LATEST_ONLY: _ClassVar[StreamPolicy]

class DropReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DROP_REASON_UNSPECIFIED: _ClassVar[DropReason]
    DROP_REASON_SUPERSEDED: _ClassVar[DropReason]
    DROP_REASON_OVERLOADED: _ClassVar[DropReason]
    DROP_REASON_DEADLINE: _ClassVar[DropReason]
    DROP_REASON_UNAVAILABLE: _ClassVar[DropReason]
BOX_FORMAT_UNSPECIFIED: BoxFormat
BOX_FORMAT_XYXY: BoxFormat
BOX_FORMAT_XYWH: BoxFormat
BOX_FORMAT_CXCYWH: BoxFormat
MODE_UNSPECIFIED: Mode
MODE_INSTANCE: Mode
MODE_BINARY: Mode
MASK_FORMAT_UNSPECIFIED: MaskFormat
MASK_FORMAT_COCO_RLE: MaskFormat
MASK_FORMAT_PNG: MaskFormat
MASK_FORMAT_LABEL_MAP: MaskFormat
MASK_FORMAT_OVERLAY: MaskFormat
MASK_FORMAT_COCO_RLE_UNCOMPRESSED: MaskFormat
MASK_FORMAT_POLYGON: MaskFormat
MASK_FORMAT_CUTOUT: MaskFormat
MASK_FORMAT_PACKED: MaskFormat
SMOOTHING_UNSPECIFIED: Smoothing
SMOOTHING_NONE: Smoothing
SMOOTHING_EDGE: Smoothing
SMOOTHING_BILATERAL: Smoothing
PRIORITY_UNSPECIFIED: Priority
PRIORITY_INTERACTIVE: Priority
PRIORITY_BATCH: Priority
FOREGROUND_SOURCE_UNSPECIFIED: ForegroundSource
FOREGROUND_SOURCE_INSTANCES: ForegroundSource
FOREGROUND_SOURCE_IMAGE: ForegroundSource
PIXEL_FORMAT_UNSPECIFIED: PixelFormat
PIXEL_FORMAT_RGB24: PixelFormat
PIXEL_FORMAT_BGR24: PixelFormat
PIXEL_FORMAT_NV12: PixelFormat
STREAM_POLICY_UNSPECIFIED: StreamPolicy
STREAM_POLICY_WAIT: StreamPolicy
STREAM_POLICY_DROP_OLDEST: StreamPolicy
STREAM_POLICY_LATEST_ONLY: StreamPolicy
DROP_REASON_UNSPECIFIED: DropReason
DROP_REASON_SUPERSEDED: DropReason
DROP_REASON_OVERLOADED: DropReason
DROP_REASON_DEADLINE: DropReason
DROP_REASON_UNAVAILABLE: DropReason

class SegmentRequest(_message.Message):
    __slots__ = ("encoded_image", "raw_frame", "boxes", "box_format", "normalized", "variant", "mode", "mask_format", "threshold", "priority", "smoothing", "dilation_px", "resolve_overlaps", "tolerance_px", "model", "find", "find_threshold", "max_people")
    ENCODED_IMAGE_FIELD_NUMBER: _ClassVar[int]
    RAW_FRAME_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    BOX_FORMAT_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    MASK_FORMAT_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SMOOTHING_FIELD_NUMBER: _ClassVar[int]
    DILATION_PX_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_OVERLAPS_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_PX_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FIND_FIELD_NUMBER: _ClassVar[int]
    FIND_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    MAX_PEOPLE_FIELD_NUMBER: _ClassVar[int]
    encoded_image: bytes
    raw_frame: RawFrame
    boxes: _containers.RepeatedCompositeFieldContainer[Box]
    box_format: BoxFormat
    normalized: bool
    variant: str
    mode: Mode
    mask_format: MaskFormat
    threshold: float
    priority: Priority
    smoothing: Smoothing
    dilation_px: int
    resolve_overlaps: bool
    tolerance_px: float
    model: str
    find: bool
    find_threshold: float
    max_people: int
    def __init__(self, encoded_image: _Optional[bytes] = ..., raw_frame: _Optional[_Union[RawFrame, _Mapping]] = ..., boxes: _Optional[_Iterable[_Union[Box, _Mapping]]] = ..., box_format: _Optional[_Union[BoxFormat, str]] = ..., normalized: _Optional[bool] = ..., variant: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ..., mask_format: _Optional[_Union[MaskFormat, str]] = ..., threshold: _Optional[float] = ..., priority: _Optional[_Union[Priority, str]] = ..., smoothing: _Optional[_Union[Smoothing, str]] = ..., dilation_px: _Optional[int] = ..., resolve_overlaps: _Optional[bool] = ..., tolerance_px: _Optional[float] = ..., model: _Optional[str] = ..., find: _Optional[bool] = ..., find_threshold: _Optional[float] = ..., max_people: _Optional[int] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("x1", "y1", "x2", "y2")
    X1_FIELD_NUMBER: _ClassVar[int]
    Y1_FIELD_NUMBER: _ClassVar[int]
    X2_FIELD_NUMBER: _ClassVar[int]
    Y2_FIELD_NUMBER: _ClassVar[int]
    x1: float
    y1: float
    x2: float
    y2: float
    def __init__(self, x1: _Optional[float] = ..., y1: _Optional[float] = ..., x2: _Optional[float] = ..., y2: _Optional[float] = ...) -> None: ...

class SegmentResponse(_message.Message):
    __slots__ = ("image", "model", "instances", "foreground", "picture", "timings_ms", "foreground_source", "finder")
    class TimingsMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    FOREGROUND_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    FOREGROUND_SOURCE_FIELD_NUMBER: _ClassVar[int]
    FINDER_FIELD_NUMBER: _ClassVar[int]
    image: ImageInfo
    model: Model
    instances: _containers.RepeatedCompositeFieldContainer[Instance]
    foreground: Instance
    picture: bytes
    timings_ms: _containers.ScalarMap[str, float]
    foreground_source: ForegroundSource
    finder: Model
    def __init__(self, image: _Optional[_Union[ImageInfo, _Mapping]] = ..., model: _Optional[_Union[Model, _Mapping]] = ..., instances: _Optional[_Iterable[_Union[Instance, _Mapping]]] = ..., foreground: _Optional[_Union[Instance, _Mapping]] = ..., picture: _Optional[bytes] = ..., timings_ms: _Optional[_Mapping[str, float]] = ..., foreground_source: _Optional[_Union[ForegroundSource, str]] = ..., finder: _Optional[_Union[Model, _Mapping]] = ...) -> None: ...

class ImageInfo(_message.Message):
    __slots__ = ("width", "height", "notes")
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    width: int
    height: int
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, width: _Optional[int] = ..., height: _Optional[int] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "version", "variant", "engine", "precision", "outputs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    variant: str
    engine: str
    precision: str
    outputs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., variant: _Optional[str] = ..., engine: _Optional[str] = ..., precision: _Optional[str] = ..., outputs: _Optional[_Iterable[str]] = ...) -> None: ...

class Instance(_message.Message):
    __slots__ = ("box", "score", "area", "coco_rle", "png", "coco_rle_uncompressed", "polygon", "cutout", "packed", "found")
    BOX_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    AREA_FIELD_NUMBER: _ClassVar[int]
    COCO_RLE_FIELD_NUMBER: _ClassVar[int]
    PNG_FIELD_NUMBER: _ClassVar[int]
    COCO_RLE_UNCOMPRESSED_FIELD_NUMBER: _ClassVar[int]
    POLYGON_FIELD_NUMBER: _ClassVar[int]
    CUTOUT_FIELD_NUMBER: _ClassVar[int]
    PACKED_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    box: Box
    score: float
    area: int
    coco_rle: CocoRle
    png: PngCrop
    coco_rle_uncompressed: CocoRleUncompressed
    polygon: PolygonMask
    cutout: Cutout
    packed: PackedCrop
    found: Found
    def __init__(self, box: _Optional[_Union[Box, _Mapping]] = ..., score: _Optional[float] = ..., area: _Optional[int] = ..., coco_rle: _Optional[_Union[CocoRle, _Mapping]] = ..., png: _Optional[_Union[PngCrop, _Mapping]] = ..., coco_rle_uncompressed: _Optional[_Union[CocoRleUncompressed, _Mapping]] = ..., polygon: _Optional[_Union[PolygonMask, _Mapping]] = ..., cutout: _Optional[_Union[Cutout, _Mapping]] = ..., packed: _Optional[_Union[PackedCrop, _Mapping]] = ..., found: _Optional[_Union[Found, _Mapping]] = ...) -> None: ...

class Found(_message.Message):
    __slots__ = ("score",)
    SCORE_FIELD_NUMBER: _ClassVar[int]
    score: float
    def __init__(self, score: _Optional[float] = ...) -> None: ...

class CocoRle(_message.Message):
    __slots__ = ("height", "width", "counts")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    height: int
    width: int
    counts: str
    def __init__(self, height: _Optional[int] = ..., width: _Optional[int] = ..., counts: _Optional[str] = ...) -> None: ...

class PngCrop(_message.Message):
    __slots__ = ("left", "top", "width", "height", "data")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    left: int
    top: int
    width: int
    height: int
    data: bytes
    def __init__(self, left: _Optional[int] = ..., top: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class CocoRleUncompressed(_message.Message):
    __slots__ = ("height", "width", "counts")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    height: int
    width: int
    counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, height: _Optional[int] = ..., width: _Optional[int] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...

class PolygonMask(_message.Message):
    __slots__ = ("polygons", "iou")
    POLYGONS_FIELD_NUMBER: _ClassVar[int]
    IOU_FIELD_NUMBER: _ClassVar[int]
    polygons: _containers.RepeatedCompositeFieldContainer[Polygon]
    iou: float
    def __init__(self, polygons: _Optional[_Iterable[_Union[Polygon, _Mapping]]] = ..., iou: _Optional[float] = ...) -> None: ...

class Polygon(_message.Message):
    __slots__ = ("outer", "holes")
    OUTER_FIELD_NUMBER: _ClassVar[int]
    HOLES_FIELD_NUMBER: _ClassVar[int]
    outer: Ring
    holes: _containers.RepeatedCompositeFieldContainer[Ring]
    def __init__(self, outer: _Optional[_Union[Ring, _Mapping]] = ..., holes: _Optional[_Iterable[_Union[Ring, _Mapping]]] = ...) -> None: ...

class Ring(_message.Message):
    __slots__ = ("xy",)
    XY_FIELD_NUMBER: _ClassVar[int]
    xy: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, xy: _Optional[_Iterable[int]] = ...) -> None: ...

class Cutout(_message.Message):
    __slots__ = ("left", "top", "width", "height", "data")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    left: int
    top: int
    width: int
    height: int
    data: bytes
    def __init__(self, left: _Optional[int] = ..., top: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class PackedCrop(_message.Message):
    __slots__ = ("left", "top", "width", "height", "data")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    left: int
    top: int
    width: int
    height: int
    data: bytes
    def __init__(self, left: _Optional[int] = ..., top: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class RawFrame(_message.Message):
    __slots__ = ("format", "width", "height", "stride", "chroma_stride", "data")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    CHROMA_STRIDE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    format: PixelFormat
    width: int
    height: int
    stride: int
    chroma_stride: int
    data: bytes
    def __init__(self, format: _Optional[_Union[PixelFormat, str]] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., stride: _Optional[int] = ..., chroma_stride: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class SegmentStreamRequest(_message.Message):
    __slots__ = ("config", "frame")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    config: StreamConfig
    frame: Frame
    def __init__(self, config: _Optional[_Union[StreamConfig, _Mapping]] = ..., frame: _Optional[_Union[Frame, _Mapping]] = ...) -> None: ...

class StreamConfig(_message.Message):
    __slots__ = ("policy", "options", "reuse_boxes", "frame_deadline_ms")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REUSE_BOXES_FIELD_NUMBER: _ClassVar[int]
    FRAME_DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    policy: StreamPolicy
    options: SegmentOptions
    reuse_boxes: bool
    frame_deadline_ms: int
    def __init__(self, policy: _Optional[_Union[StreamPolicy, str]] = ..., options: _Optional[_Union[SegmentOptions, _Mapping]] = ..., reuse_boxes: _Optional[bool] = ..., frame_deadline_ms: _Optional[int] = ...) -> None: ...

class SegmentOptions(_message.Message):
    __slots__ = ("box_format", "normalized", "variant", "mode", "mask_format", "threshold", "priority", "smoothing", "dilation_px", "resolve_overlaps", "tolerance_px", "model", "find", "find_threshold", "max_people")
    BOX_FORMAT_FIELD_NUMBER: _ClassVar[int]
    NORMALIZED_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    MASK_FORMAT_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SMOOTHING_FIELD_NUMBER: _ClassVar[int]
    DILATION_PX_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_OVERLAPS_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_PX_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FIND_FIELD_NUMBER: _ClassVar[int]
    FIND_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    MAX_PEOPLE_FIELD_NUMBER: _ClassVar[int]
    box_format: BoxFormat
    normalized: bool
    variant: str
    mode: Mode
    mask_format: MaskFormat
    threshold: float
    priority: Priority
    smoothing: Smoothing
    dilation_px: int
    resolve_overlaps: bool
    tolerance_px: float
    model: str
    find: bool
    find_threshold: float
    max_people: int
    def __init__(self, box_format: _Optional[_Union[BoxFormat, str]] = ..., normalized: _Optional[bool] = ..., variant: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ..., mask_format: _Optional[_Union[MaskFormat, str]] = ..., threshold: _Optional[float] = ..., priority: _Optional[_Union[Priority, str]] = ..., smoothing: _Optional[_Union[Smoothing, str]] = ..., dilation_px: _Optional[int] = ..., resolve_overlaps: _Optional[bool] = ..., tolerance_px: _Optional[float] = ..., model: _Optional[str] = ..., find: _Optional[bool] = ..., find_threshold: _Optional[float] = ..., max_people: _Optional[int] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("sequence", "timestamp_us", "encoded_image", "raw_frame", "boxes", "options", "forget_boxes")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_US_FIELD_NUMBER: _ClassVar[int]
    ENCODED_IMAGE_FIELD_NUMBER: _ClassVar[int]
    RAW_FRAME_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    FORGET_BOXES_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    timestamp_us: int
    encoded_image: bytes
    raw_frame: RawFrame
    boxes: _containers.RepeatedCompositeFieldContainer[Box]
    options: SegmentOptions
    forget_boxes: bool
    def __init__(self, sequence: _Optional[int] = ..., timestamp_us: _Optional[int] = ..., encoded_image: _Optional[bytes] = ..., raw_frame: _Optional[_Union[RawFrame, _Mapping]] = ..., boxes: _Optional[_Iterable[_Union[Box, _Mapping]]] = ..., options: _Optional[_Union[SegmentOptions, _Mapping]] = ..., forget_boxes: _Optional[bool] = ...) -> None: ...

class SegmentStreamResponse(_message.Message):
    __slots__ = ("sequence", "timestamp_us", "result", "dropped", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_US_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    timestamp_us: int
    result: SegmentResponse
    dropped: FrameDropped
    error: FrameError
    def __init__(self, sequence: _Optional[int] = ..., timestamp_us: _Optional[int] = ..., result: _Optional[_Union[SegmentResponse, _Mapping]] = ..., dropped: _Optional[_Union[FrameDropped, _Mapping]] = ..., error: _Optional[_Union[FrameError, _Mapping]] = ...) -> None: ...

class FrameDropped(_message.Message):
    __slots__ = ("reason", "message", "retry_after_s", "error_reason")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    ERROR_REASON_FIELD_NUMBER: _ClassVar[int]
    reason: DropReason
    message: str
    retry_after_s: int
    error_reason: str
    def __init__(self, reason: _Optional[_Union[DropReason, str]] = ..., message: _Optional[str] = ..., retry_after_s: _Optional[int] = ..., error_reason: _Optional[str] = ...) -> None: ...

class FrameError(_message.Message):
    __slots__ = ("code", "message", "field", "error_reason", "limit", "value", "id")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    ERROR_REASON_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    field: str
    error_reason: str
    limit: str
    value: str
    id: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., field: _Optional[str] = ..., error_reason: _Optional[str] = ..., limit: _Optional[str] = ..., value: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class GetInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInfoResponse(_message.Message):
    __slots__ = ("version", "models", "default_variant", "image_types", "pixel_formats", "policies", "modes", "mask_formats", "limits", "smoothings", "default_model", "model_of_variant", "foreground_model", "finder_model")
    class ModelOfVariantEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VARIANT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_TYPES_FIELD_NUMBER: _ClassVar[int]
    PIXEL_FORMATS_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    MODES_FIELD_NUMBER: _ClassVar[int]
    MASK_FORMATS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    SMOOTHINGS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_OF_VARIANT_FIELD_NUMBER: _ClassVar[int]
    FOREGROUND_MODEL_FIELD_NUMBER: _ClassVar[int]
    FINDER_MODEL_FIELD_NUMBER: _ClassVar[int]
    version: str
    models: _containers.RepeatedCompositeFieldContainer[Model]
    default_variant: str
    image_types: _containers.RepeatedScalarFieldContainer[str]
    pixel_formats: _containers.RepeatedScalarFieldContainer[PixelFormat]
    policies: _containers.RepeatedScalarFieldContainer[StreamPolicy]
    modes: _containers.RepeatedScalarFieldContainer[Mode]
    mask_formats: _containers.RepeatedScalarFieldContainer[MaskFormat]
    limits: Limits
    smoothings: _containers.RepeatedScalarFieldContainer[Smoothing]
    default_model: str
    model_of_variant: _containers.ScalarMap[str, str]
    foreground_model: str
    finder_model: str
    def __init__(self, version: _Optional[str] = ..., models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., default_variant: _Optional[str] = ..., image_types: _Optional[_Iterable[str]] = ..., pixel_formats: _Optional[_Iterable[_Union[PixelFormat, str]]] = ..., policies: _Optional[_Iterable[_Union[StreamPolicy, str]]] = ..., modes: _Optional[_Iterable[_Union[Mode, str]]] = ..., mask_formats: _Optional[_Iterable[_Union[MaskFormat, str]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., smoothings: _Optional[_Iterable[_Union[Smoothing, str]]] = ..., default_model: _Optional[str] = ..., model_of_variant: _Optional[_Mapping[str, str]] = ..., foreground_model: _Optional[str] = ..., finder_model: _Optional[str] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("image_bytes", "image_pixels", "boxes", "message_bytes", "answer_bytes", "held_bytes", "wait_ms", "default_deadline_ms", "calls", "streams", "stream_queue", "stream_in_flight", "stream_unanswered", "ping_interval_s", "drain_s", "batch_budget_ms", "batch_images", "batch_boxes", "batch_bytes", "dilation_px", "tolerance_px", "cutout_pixels", "mask_pixels", "message_s", "stream_config_s", "stream_idle_s", "grpc_connections")
    IMAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    IMAGE_PIXELS_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ANSWER_BYTES_FIELD_NUMBER: _ClassVar[int]
    HELD_BYTES_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    STREAM_QUEUE_FIELD_NUMBER: _ClassVar[int]
    STREAM_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    STREAM_UNANSWERED_FIELD_NUMBER: _ClassVar[int]
    PING_INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    DRAIN_S_FIELD_NUMBER: _ClassVar[int]
    BATCH_BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    BATCH_IMAGES_FIELD_NUMBER: _ClassVar[int]
    BATCH_BOXES_FIELD_NUMBER: _ClassVar[int]
    BATCH_BYTES_FIELD_NUMBER: _ClassVar[int]
    DILATION_PX_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_PX_FIELD_NUMBER: _ClassVar[int]
    CUTOUT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    MASK_PIXELS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_S_FIELD_NUMBER: _ClassVar[int]
    STREAM_CONFIG_S_FIELD_NUMBER: _ClassVar[int]
    STREAM_IDLE_S_FIELD_NUMBER: _ClassVar[int]
    GRPC_CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    image_bytes: int
    image_pixels: int
    boxes: int
    message_bytes: int
    answer_bytes: int
    held_bytes: int
    wait_ms: float
    default_deadline_ms: int
    calls: int
    streams: int
    stream_queue: int
    stream_in_flight: int
    stream_unanswered: int
    ping_interval_s: float
    drain_s: float
    batch_budget_ms: float
    batch_images: int
    batch_boxes: int
    batch_bytes: int
    dilation_px: int
    tolerance_px: float
    cutout_pixels: int
    mask_pixels: int
    message_s: float
    stream_config_s: float
    stream_idle_s: float
    grpc_connections: int
    def __init__(self, image_bytes: _Optional[int] = ..., image_pixels: _Optional[int] = ..., boxes: _Optional[int] = ..., message_bytes: _Optional[int] = ..., answer_bytes: _Optional[int] = ..., held_bytes: _Optional[int] = ..., wait_ms: _Optional[float] = ..., default_deadline_ms: _Optional[int] = ..., calls: _Optional[int] = ..., streams: _Optional[int] = ..., stream_queue: _Optional[int] = ..., stream_in_flight: _Optional[int] = ..., stream_unanswered: _Optional[int] = ..., ping_interval_s: _Optional[float] = ..., drain_s: _Optional[float] = ..., batch_budget_ms: _Optional[float] = ..., batch_images: _Optional[int] = ..., batch_boxes: _Optional[int] = ..., batch_bytes: _Optional[int] = ..., dilation_px: _Optional[int] = ..., tolerance_px: _Optional[float] = ..., cutout_pixels: _Optional[int] = ..., mask_pixels: _Optional[int] = ..., message_s: _Optional[float] = ..., stream_config_s: _Optional[float] = ..., stream_idle_s: _Optional[float] = ..., grpc_connections: _Optional[int] = ...) -> None: ...

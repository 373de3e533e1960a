"""Settings of the service, from ``HISEG_*`` environment variables or the file ``hiseg.toml`` in the working folder.

The service itself reads nothing else, except the variables of the libraries that it uses: ``OTEL_*`` of OpenTelemetry
and ``ORT_DISABLE_TELEMETRY`` of ONNX Runtime. A variable that isn't known is refused, since a misspelled one would open
a service that was to be closed; :data:`OF_OTHERS` are those of the programs around the service.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from hiseg.access.keys import DIGEST, NAME
from hiseg.access.quota import MIN_RATE, Limits
from hiseg.batching.job import BatchLimits
from hiseg.core.cgroups import available_memory
from hiseg.core.engine_settings import EMBEDDED, Fallback, Int8
from hiseg.core.listening import parse_host
from hiseg.core.settings_sources import TomlFile, Variables
from hiseg.engines.triton.address import SCHEME, parse_targets
from hiseg.observability.logs import LogFormat

PREFIX = "HISEG_"
FILE = "hiseg.toml"
OF_OTHERS = frozenset(
    {
        "HISEG_API_KEY",  # with which `hiseg bench` and the load tests call a service
        "HISEG_DATA",  # folder of the training data
        "HISEG_CPUS",  # the others are those of docker-compose.yml
        "HISEG_IMAGE",
        "HISEG_LOADTEST_IMAGE",
        "HISEG_MEMORY",
        "HISEG_REPLICAS",
        "HISEG_VERSION",
    }
)
"""Variables that look like settings of the service and are none."""
MEBI = 1024 * 1024
MAX_SECONDS = 24 * 3600
"""Upper limit of settings in seconds."""
MAX_MS = 1000 * MAX_SECONDS
MAX_COUNT = 1_000_000
"""Upper limit of settings that are numbers of things."""
MAX_THREADS = 1024
MAX_BYTES = 2**40
ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^/?#@]+")
"""What browsers send as ``Origin``: ``null`` is that of a file."""
NOBODY = "none"
"""Value of a list from a variable that is meant to be empty."""
MAX_GRPC_MESSAGE_BYTES = 2**31 - 1
"""Largest message that gRPC can send or receive, whatever the settings say."""
ListedKey = Annotated[str, StringConstraints(pattern=f"^({NAME.pattern}:)?{DIGEST.pattern}$")]
"""An API key as the setting ``api_keys`` lists it; see :func:`hiseg.access.keys.parse_listed_key`."""


class Settings(BaseSettings):
    """All settings with their defaults; an environment variable wins over the file, an argument over both.

    Unknown settings, settings out of range and settings that contradict each other are refused.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)

    host: str = Field("127.0.0.1", description="Address to listen on, for HTTP and gRPC.")
    port: int = Field(8000, ge=0, le=65535, description="Port for HTTP; 0 takes a free one.")
    grpc_port: int = Field(50051, ge=0, le=65535, description="Port for gRPC; 0 takes a free one.")
    model_repository: Path | None = Field(
        None,
        description="Folder with the models, laid out as `name/version/model.onnx`; without it `./model_repository` "
        "if it has models, else those that come with hiseg.",
    )
    repository_poll_seconds: float = Field(
        0.25,
        ge=0,
        le=MAX_SECONDS,
        description="Seconds between two looks for new model versions in the repository, with the embedded engine; "
        "0: never.",
    )
    engine: str = Field(
        EMBEDDED, description="Engine that runs the models: `onnx` (embedded), or `triton://host:port,host:port`."
    )
    fallback: Fallback = Field(
        Fallback.OFF, description="`onnx`: the embedded engine runs the models while no Triton server answers."
    )
    int8: Int8 = Field(
        Int8.AUTO,
        description="Whether the embedded engine runs a version's `model.int8.onnx` and not `model.onnx`: `auto` (on a "
        "CPU with instructions for INT8), `always` or `never`. Their masks differ in a few pixels.",
    )
    default_variant: str = Field("b0", description="Variant, or name, of the model for requests that name none.")
    threads: int = Field(
        0, ge=0, le=MAX_THREADS, description="Number of threads of the embedded engine; 0: as many as there are cores."
    )
    image_threads: int = Field(
        0,
        ge=0,
        le=MAX_THREADS,
        description="Number of threads that decode images and draw masks; 0: as many as there are cores.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "::1"),
        description="Proxies whose `X-Forwarded-For` header is believed: addresses and networks, separated by commas; "
        "`*`: all; `none`: none.",
    )
    max_image_bytes: int = Field(
        20 * MEBI, gt=0, le=MAX_GRPC_MESSAGE_BYTES - MEBI, description="Largest encoded image, in bytes."
    )
    max_image_pixels: int = Field(50_000_000, gt=0, le=MAX_BYTES, description="Largest decoded image, in pixels.")
    max_boxes: int = Field(100, gt=0, le=MAX_COUNT, description="Largest number of boxes in a request.")
    find_threshold: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Score, 0 to 1, from which on somebody counts as found.",
    )
    max_held_bytes: int = Field(
        512 * MEBI,
        gt=0,
        le=MAX_BYTES,
        description="Largest number of bytes that all requests in progress may hold together. By default at most a "
        "quarter of the memory that the container, or the machine, has; but always room for four bodies.",
    )
    max_wait_ms: int = Field(
        2000,
        gt=0,
        le=MAX_MS,
        description="Longest predicted wait for the engine, in milliseconds, of an accepted request.",
    )
    batch_budget_ms: int = Field(
        50, gt=0, le=MAX_MS, description="Predicted engine milliseconds up to which jobs are put into one batch."
    )
    max_batch_images: int = Field(16, gt=0, le=MAX_COUNT, description="Largest number of images in a batch.")
    max_batch_boxes: int = Field(128, gt=0, le=MAX_COUNT, description="Largest number of boxes in a batch.")
    max_batch_bytes: int = Field(
        64 * MEBI,
        gt=0,
        le=MAX_BYTES,
        description="Largest number of bytes of image input in a batch. By default at most a 32nd of that memory.",
    )
    default_deadline_ms: int = Field(
        30_000, gt=0, le=MAX_MS, description="Deadline of requests that name none, in milliseconds after their arrival."
    )
    body_timeout_seconds: float = Field(
        15, gt=0, le=MAX_SECONDS, description="Longest time, in seconds, that the body of a request may take to arrive."
    )
    log_format: LogFormat = Field(
        LogFormat.TEXT, description="Format of the log: `text`, or `json` with one line for each request."
    )
    tracing: bool = Field(
        False, description="Whether to send OpenTelemetry traces; the `OTEL_*` variables say where to."
    )
    shutdown_delay_seconds: float = Field(
        0,
        ge=0,
        le=MAX_SECONDS,
        description="Seconds after SIGTERM in which requests are still accepted, while `/readyz` answers 503 already.",
    )
    drain_seconds: float = Field(
        30, gt=0, le=MAX_SECONDS, description="Longest time, in seconds, that accepted requests then get to finish."
    )
    label_studio_media_root: Path | None = Field(
        None, description="Label Studio's media folder, from which uploaded images are read."
    )
    label_studio_document_root: Path | None = Field(
        None, description="Label Studio's `LOCAL_FILES_DOCUMENT_ROOT`, from which local files are read."
    )
    grpc_max_calls: int = Field(
        1024,
        gt=0,
        le=MAX_COUNT,
        description="Largest number of unary gRPC calls at once; four fifths of them for one caller.",
    )
    grpc_max_streams: int = Field(
        320,
        gt=0,
        le=MAX_COUNT,
        description="Largest number of gRPC streams at once; four fifths of them for one caller.",
    )
    grpc_stream_queue: int = Field(
        4, gt=0, le=64, description="Number of frames of a stream that may wait with the policy DROP_OLDEST."
    )
    grpc_stream_in_flight: int = Field(
        2, gt=0, le=64, description="Number of frames of a stream that are worked on at once."
    )
    grpc_keepalive_seconds: float = Field(
        30, ge=1, le=MAX_SECONDS, description="Seconds of silence after which the service pings a gRPC client."
    )
    grpc_min_ping_interval_seconds: float = Field(
        10,
        gt=0,
        le=MAX_SECONDS,
        description="Shortest time, in seconds, between pings of a gRPC client; faster clients are cut off.",
    )
    grpc_tls_cert: Path | None = Field(
        None, description="PEM file with the certificate chain for gRPC; without it gRPC is plain text."
    )
    grpc_tls_key: Path | None = Field(None, description="PEM file with the private key of that certificate.")
    grpc_tls_client_ca: Path | None = Field(
        None, description="PEM file with the CA that must have signed the certificates of gRPC clients."
    )
    http_tls_cert: Path | None = Field(
        None, description="PEM file with the certificate chain for HTTP; without it HTTP is plain text."
    )
    http_tls_key: Path | None = Field(None, description="PEM file with the private key of that certificate.")
    http_tls_client_ca: Path | None = Field(
        None, description="PEM file with the CA that must have signed the certificates of HTTP clients."
    )
    api_keys: Annotated[tuple[ListedKey, ...], NoDecode] = Field(
        (),
        description="API keys, of which callers need one: `name:SHA-256 in hexadecimal`, separated by commas.",
    )
    api_keys_file: Path | None = Field(
        None, description="File with further API keys, one a line; it is read again whenever it changes."
    )
    api_key_rate: float = Field(
        0, ge=0, le=MAX_COUNT, description="Largest number of requests a second with one API key; 0: no limit."
    )
    api_key_concurrency: int = Field(
        0, ge=0, le=MAX_COUNT, description="Largest number of requests at once with one API key; 0: no limit."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins whose web pages may call the service, separated by commas; `*`: all."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, Variables(settings_cls, OF_OTHERS), TomlFile(settings_cls, Path(FILE))

    @model_validator(mode="after")
    def _defaults_fit(self) -> Settings:
        memory, given = available_memory(), self.model_fields_set.copy()
        if "max_held_bytes" not in given:
            self.max_held_bytes = min(self.max_held_bytes, max(memory // 4, 4 * self.max_body_bytes))
        if "max_batch_bytes" not in given:
            self.max_batch_bytes = min(self.max_batch_bytes, memory // 32)
        return self

    @model_validator(mode="after")
    def _limits_agree(self) -> Settings:
        if self.max_boxes > self.max_batch_boxes:
            raise ValueError(f"max_boxes ({self.max_boxes}) is over max_batch_boxes ({self.max_batch_boxes})")
        if self.body_timeout_seconds >= self.drain_seconds:
            raise ValueError(
                f"body_timeout_seconds ({self.body_timeout_seconds}) is not under drain_seconds ({self.drain_seconds})"
            )
        # A body that comes in pieces is there twice while it is joined, and one caller may hold half of the memory.
        if self.max_held_bytes < 4 * self.max_body_bytes:
            raise ValueError(
                f"max_held_bytes ({self.max_held_bytes}) is under four times the largest body ({self.max_body_bytes})"
            )
        return self

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_written_as_such(cls, value: object, info: ValidationInfo) -> object:
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and kind is not bool:
            raise ValueError("true and false are no value of this setting")
        if isinstance(value, str) and kind in (int, float) and "_" in value:
            raise ValueError("a number is written with digits alone")
        return value

    @field_validator("host")
    @classmethod
    def _host_is_address_or_name(cls, value: str) -> str:
        return parse_host(value)

    @field_validator("api_key_rate")
    @classmethod
    def _rate_is_not_too_slow(cls, value: float) -> float:
        if 0 < value < MIN_RATE:
            raise ValueError(f"it is 0 or at least {MIN_RATE}")
        return value

    @field_validator("engine")
    @classmethod
    def _engine_is_known(cls, value: str) -> str:
        if value != EMBEDDED and not value.startswith(SCHEME):
            raise ValueError(f"it is {EMBEDDED}, or {SCHEME}host:port, with commas between several")
        if value != EMBEDDED:
            parse_targets(value)
        return value

    @field_validator("api_keys", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            if info.field_name == "api_keys" and value == []:
                raise ValueError("it has no entries; leave it out for its default")
            return value
        entries = value.replace(",", " ").split()
        if info.field_name == "trusted_proxies" and entries == [NOBODY]:
            return []
        if not entries:
            raise ValueError("it has no entries; leave it out for its default")
        return entries

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if each != "*":
                ip_network(each)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_as_browsers_send_them(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not ORIGIN.fullmatch(each):
                raise ValueError(f"{each!r} is no origin, such as https://example.com, without a path or a slash")
        return value

    @model_validator(mode="after")
    def _transports_agree(self) -> Settings:
        for kind in ("grpc", "http"):
            cert, key, ca = (f"{kind}_tls_{part}" for part in ("cert", "key", "client_ca"))
            if (getattr(self, cert) is None) != (getattr(self, key) is None):
                raise ValueError(f"{cert} and {key} go together")
            if getattr(self, ca) and not getattr(self, cert):
                raise ValueError(f"{ca} needs {cert} and {key}")
        if self.port == self.grpc_port != 0:
            raise ValueError(f"port and grpc_port are both {self.port}; each needs its own")
        return self

    @property
    def runs_embedded(self) -> bool:
        """Whether the embedded engine runs the models of the repository, always or while no Triton server answers."""
        return self.engine == EMBEDDED or self.fallback is Fallback.ONNX

    @property
    def grpc_address(self) -> str:
        """Address and port for gRPC, as URLs have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.grpc_port}"

    @property
    def key_limits(self) -> Limits:
        """Rate and concurrency limits of API keys that have none of their own."""
        return Limits(self.api_key_rate, self.api_key_concurrency)

    @property
    def batch_limits(self) -> BatchLimits:
        """Limits of batches, as the batchers take them."""
        return BatchLimits(
            budget_ms=self.batch_budget_ms,
            images=self.max_batch_images,
            rois=self.max_batch_boxes,
            bytes=self.max_batch_bytes,
            wait_ms=self.max_wait_ms,
        )

    @property
    def max_body_bytes(self) -> int:
        """Largest HTTP body, in bytes: the largest image as base64 in JSON, and the rest of the request."""
        return self.max_image_bytes * 4 // 3 + MEBI

    @property
    def max_message_bytes(self) -> int:
        """Largest gRPC message to the service, in bytes: the largest image, encoded or raw, and the rest of the
        request."""
        return self.max_image_bytes + MEBI

    @property
    def max_answer_bytes(self) -> int:
        """Largest gRPC message from the service, in bytes: the largest image as an incompressible PNG, and the rest."""
        return min(4 * self.max_image_pixels + MEBI, MAX_GRPC_MESSAGE_BYTES)

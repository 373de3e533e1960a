"""Every knob of the service, from ``HISEG_*`` variables or ``hiseg.toml``; nothing else is read anywhere."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hiseg.access.keys import DIGEST, NAME, Limits
from hiseg.batching.limits import BatchLimits
from hiseg.engines.triton.address import parse_targets
from hiseg.observability.logs import LogFormat

MEBI = 1024 * 1024
MOST_GRPC_BYTES = 2**31 - 1
"""Of one message, whatever one sets."""
ListedKey = Annotated[str, StringConstraints(pattern=f"^({NAME.pattern}:)?{DIGEST.pattern}$")]
"""See :func:`hiseg.access.keys.listed_key`."""


EMBEDDED = "onnx"


class Fallback(StrEnum):
    """What serves while no Triton answers."""

    OFF = "off"
    ONNX = "onnx"


class Settings(BaseSettings):
    """Settings with their defaults; an environment variable wins over the file."""

    model_config = SettingsConfigDict(env_prefix="HISEG_", toml_file="hiseg.toml", extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="HTTP port; 0 takes a free one")
    grpc_port: int = Field(50051, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    model_repository: Path = Field(Path("model_repository"), description="folder of name/version/model.onnx")
    repository_poll_seconds: float = Field(
        0.25, ge=0, description="how often the embedded engine looks for new versions in the repository; 0: never"
    )
    engine: str = Field(EMBEDDED, description="what runs models: onnx (embedded), or triton://host:port,host:port")
    fallback: Fallback = Field(Fallback.OFF, description="onnx: serve on the embedded engine while no Triton answers")
    default_variant: str = Field("b0", description="variant that answers when none is asked for")
    threads: int = Field(0, ge=0, description="threads of the embedded engine; 0 takes the cores there are")
    workers: int = Field(0, ge=0, description="threads that decode images and draw masks; 0 takes the cores there are")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1",),
        description="proxies whose X-Forwarded-For says who calls: addresses, networks, with commas between; * is all",
    )
    max_image_bytes: int = Field(20 * MEBI, gt=0, description="largest encoded image")
    max_image_pixels: int = Field(50_000_000, gt=0, description="largest decoded image")
    max_boxes: int = Field(100, gt=0, description="most boxes in a request")
    max_held_bytes: int = Field(512 * MEBI, gt=0, description="most bytes that the requests inside hold together")
    max_wait_ms: int = Field(2000, gt=0, description="longest predicted wait for the engine with which one is let in")
    batch_budget_ms: int = Field(50, gt=0, description="predicted cost up to which jobs share a batch")
    max_batch_images: int = Field(16, gt=0, description="most images in a batch")
    max_batch_boxes: int = Field(128, gt=0, description="most boxes in a batch")
    max_batch_bytes: int = Field(64 * MEBI, gt=0, description="most bytes of images in a batch")
    default_deadline_ms: int = Field(30_000, gt=0, description="deadline of a request that names none")
    body_seconds: float = Field(15, gt=0, description="most time that a request's body may take to come")
    log_format: LogFormat = Field(LogFormat.TEXT, description="text, or json with a line a request")
    tracing: bool = Field(False, description="send OpenTelemetry traces; OTEL_* variables say where to")
    leave_seconds: float = Field(
        0, ge=0, description="time after SIGTERM in which requests are still taken, while /readyz says 503 already"
    )
    drain_seconds: float = Field(30, gt=0, description="most time that accepted work gets after that")
    label_studio_media: Path | None = Field(None, description="Label Studio's media folder, to read uploads from")
    label_studio_files: Path | None = Field(None, description="its LOCAL_FILES_DOCUMENT_ROOT, to read files from")
    grpc_max_calls: int = Field(1024, gt=0, description="most unary gRPC calls at once")
    grpc_max_streams: int = Field(256, gt=0, description="most gRPC streams at once")
    grpc_stream_queue: int = Field(4, gt=0, le=64, description="frames of a stream that wait with DROP_OLDEST")
    grpc_stream_in_flight: int = Field(2, gt=0, le=64, description="frames of a stream that are worked on at once")
    grpc_keepalive_seconds: float = Field(30, ge=1, description="silence after which a gRPC client is pinged")
    grpc_min_ping_seconds: float = Field(10, gt=0, description="a gRPC client that pings more often is cut off")
    grpc_tls_cert: Path | None = Field(None, description="PEM file of the gRPC certificate chain; plain text if unset")
    grpc_tls_key: Path | None = Field(None, description="PEM file of its private key")
    grpc_tls_client_ca: Path | None = Field(None, description="PEM file; gRPC clients need a certificate signed by it")
    http_tls_cert: Path | None = Field(None, description="PEM file of the HTTP certificate chain; plain text if unset")
    http_tls_key: Path | None = Field(None, description="PEM file of its private key")
    http_tls_client_ca: Path | None = Field(None, description="PEM file; HTTP clients need a certificate signed by it")
    api_keys: Annotated[tuple[ListedKey, ...], NoDecode] = Field(
        (), description="API keys that callers need one of: name:SHA-256 hex digest, with commas between them"
    )
    api_keys_file: Path | None = Field(None, description="file with more of them, read again whenever it changes")
    api_key_rate: float = Field(0, ge=0, description="most requests a second with one key; 0: no limit")
    api_key_concurrency: int = Field(0, ge=0, description="most requests at once with one key; 0: no limit")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="origins whose pages may ask from a browser, with commas between them; * is all"
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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="after")
    def _limits_agree(self) -> Settings:
        if self.max_boxes > self.max_batch_boxes:
            raise ValueError(f"max_boxes ({self.max_boxes}) is over max_batch_boxes ({self.max_batch_boxes})")
        if self.body_seconds >= self.drain_seconds:
            raise ValueError(f"body_seconds ({self.body_seconds}) is not under drain_seconds ({self.drain_seconds})")
        if self.max_held_bytes < 2 * self.max_body_bytes:
            raise ValueError(
                f"max_held_bytes ({self.max_held_bytes}) is under twice the largest body ({self.max_body_bytes})"
            )
        return self

    @field_validator("engine")
    @classmethod
    def _engine_is_known(cls, value: str) -> str:
        if value != EMBEDDED:
            parse_targets(value)
        return value

    @field_validator("api_keys", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if each != "*":
                ip_network(each)
        return value

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Settings:
        for kind in ("grpc", "http"):
            cert, key, ca = (f"{kind}_tls_{part}" for part in ("cert", "key", "client_ca"))
            if (getattr(self, cert) is None) != (getattr(self, key) is None):
                raise ValueError(f"{cert} and {key} go together")
            if getattr(self, ca) and not getattr(self, cert):
                raise ValueError(f"{ca} needs {cert} and {key}")
        return self

    @property
    def key_limits(self) -> Limits:
        """Of keys that have none of their own."""
        return Limits(self.api_key_rate, self.api_key_concurrency)

    @property
    def batches(self) -> BatchLimits:
        """What batchers go by."""
        return BatchLimits(
            budget_ms=self.batch_budget_ms,
            images=self.max_batch_images,
            rois=self.max_batch_boxes,
            bytes=self.max_batch_bytes,
            wait_ms=self.max_wait_ms,
        )

    @property
    def max_body_bytes(self) -> int:
        """Largest request body: an image of the largest size as base64 in JSON, and the rest of the request."""
        return self.max_image_bytes * 4 // 3 + MEBI

    @property
    def max_message_bytes(self) -> int:
        """Largest gRPC message to the service: an image of the largest size, encoded or raw, and the rest."""
        return self.max_image_bytes + MEBI

    @property
    def max_answer_bytes(self) -> int:
        """Largest gRPC message from it: the largest picture as a PNG that can't be compressed, and the rest."""
        return min(4 * self.max_image_pixels + MEBI, MOST_GRPC_BYTES)

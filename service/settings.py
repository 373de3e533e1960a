"""Every knob of the service, from ``HISEG_*`` variables or ``hiseg.toml``; nothing else is read anywhere."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

MEBI = 1024 * 1024


class Settings(BaseSettings):
    """Settings with their defaults; an environment variable wins over the file."""

    model_config = SettingsConfigDict(env_prefix="HISEG_", toml_file="hiseg.toml", extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="HTTP port; 0 takes a free one")
    model_repository: Path = Field(Path("model_repository"), description="folder of name/version/model.onnx")
    default_variant: str = Field("b0", description="variant that answers when none is asked for")
    threads: int = Field(0, ge=0, description="threads of the embedded engine; 0 takes the cores there are")
    workers: int = Field(2, ge=1, description="threads that decode images and draw masks")
    max_image_bytes: int = Field(20 * MEBI, gt=0, description="largest encoded image")
    max_image_pixels: int = Field(50_000_000, gt=0, description="largest decoded image")
    max_boxes: int = Field(100, gt=0, description="most boxes in a request")
    max_jobs: int = Field(64, gt=0, description="most requests inside at once; more are turned away with 429")
    default_deadline_ms: int = Field(30_000, gt=0, description="deadline of a request that names none")

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

    @property
    def max_body_bytes(self) -> int:
        """Largest request body: an image of the largest size as base64 in JSON, and the rest of the request."""
        return self.max_image_bytes * 4 // 3 + MEBI

"""Copies the sound of a file beside the video that is made of it, as it is: nothing is encoded anew."""

from __future__ import annotations

import os
from collections.abc import Iterator

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from hiseg.video.container import choose_stream, describe_error
from hiseg.video.frame import VideoError

SILENT = (".gif", ".avi")
"""GIF has no sound; AVI has no times, and most sound of today comes out too long in it."""
FORMATS = {".mkv": "matroska", ".m4v": "mp4"}
"""FFmpeg's names of formats that aren't their suffixes."""


class Sound:
    """The sound of a file, in step with its video.

    Args:
        container: the file, opened for this alone.
        stream: the sound in it.
        start: when the first frame of its video is shown, seconds.
    """

    def __init__(self, container: InputContainer, stream: AudioStream, start: float) -> None:
        self._container = container
        self._stream = stream
        self._start = start
        self._packets = self._read()
        self._next: Packet[AudioStream] | None = None
        self._output: OutputContainer | None = None
        self._copy: AudioStream | None = None

    def add_to(self, output: OutputContainer) -> None:
        """Make a stream for it in a file, before the first packet is written there."""
        self._output = output
        self._copy = output.add_stream_from_template(self._stream)
        self._next = next(self._packets, None)

    def copy_until(self, seconds: float) -> None:
        """Write what begins before a time of the video.

        Raises:
            av.FFmpegError: it can't be written.
        """
        while self._next is not None and self._time(self._next) < seconds:
            assert self._output is not None
            packet, self._next = self._next, next(self._packets, None)
            shift = round(self._start / self._stream_tick)
            packet.pts = (packet.pts or 0) - shift
            packet.dts = packet.pts
            assert self._copy is not None
            packet.stream = self._copy
            self._output.mux(packet)

    def close(self) -> None:
        """Close the file that it comes from."""
        self._container.close()

    @property
    def _stream_tick(self) -> float:
        return float(self._stream.time_base or 0)

    def _time(self, packet: Packet[AudioStream]) -> float:
        return (packet.pts or 0) * self._stream_tick - self._start

    def _read(self) -> Iterator[Packet[AudioStream]]:
        """Yield the packets from the first frame on, as far as they can be read."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.pts is not None and packet.size and self._time(packet) >= 0:
                    yield packet
        except av.FFmpegError:
            return


def open_sound(path: str, suffix: str) -> tuple[Sound | None, str]:
    """Open the sound of a file, if it has some and the container that is to be written can hold it.

    Args:
        path: the file.
        suffix: of the file to be written, with its point.

    Returns:
        The sound, or None; and a sentence about sound that is left out, or nothing.
    """
    try:
        container = av.open(path, metadata_errors="replace")
    except (av.FFmpegError, ValueError):
        return None, ""  # who reads the video says why
    try:
        stream = container.streams.best("audio")
        if not isinstance(stream, AudioStream):
            container.close()
            return None, ""
        name = stream.codec_context.name
        with av.open(os.devnull, "w", format=FORMATS.get(suffix, suffix[1:])) as output:
            fits = isinstance(output, OutputContainer) and name in output.supported_codecs
        if not fits or suffix in SILENT:
            container.close()
            return None, f"the sound is left out: {suffix} can't hold {name}"
        video, _ = choose_stream(container, path)
        start = float((video.start_time or 0) * (video.time_base or 0))
        return Sound(container, stream, start), ""
    except (av.FFmpegError, ValueError, VideoError) as error:
        container.close()
        words = describe_error(error) if isinstance(error, av.FFmpegError) else str(error)
        return None, f"the sound is left out: {words}"

"""One container: pulled, configured, started as a local process, probed, restarted, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.kubernetes.kubelet import images, probes
from tests.lab.kubernetes.kubelet.environment import ConfigError, command_line, environment, wanted_sources
from tests.lab.kubernetes.kubelet.status import NOT_BEGUN, ContainerState, terminated

if TYPE_CHECKING:
    from tests.lab.kubernetes.kubelet.pod import Pod

Json = dict[str, Any]
FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S, CALM_S = 1.0, 60.0, 60.0
PULL_AGAIN_S = 1.0
MESSAGE_BYTES, MESSAGE_LINES = 2048, 80


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Container:
    def __init__(self, pod: Pod, spec: Json, *, policy: str, changed: Callable[[], None]) -> None:
        self.pod, self.spec, self.policy, self.changed = pod, spec, policy, changed
        self.seen = ContainerState(spec["name"], spec["image"])
        self.process: asyncio.subprocess.Process | None = None  # set while it may run
        self.over = asyncio.Event()  # set while nothing runs, and that is reported
        self.over.set()
        self.variables: dict[str, str] = {}
        self.ending = False
        self.back_off_s = 0.0

    @property
    def marker(self) -> Path:
        """Says that this container was started once, also to a kubelet that was started after this one."""
        return self.pod.folder / f"{self.seen.name}.started"

    def show(self, state: Json) -> None:
        if "terminated" in self.seen.state and "terminated" not in state:
            self.seen.last = {"terminated": self.seen.state["terminated"]}
        self.seen.state = state
        self.changed()

    def wait_because(self, reason: str, message: str = "") -> None:
        self.show({"waiting": {"reason": reason, **({"message": message} if message else {})}})

    # -- life ----------------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Returns when the container is over for good: its policy starts it no more."""
        while not self.ending:
            if self.seen.state == NOT_BEGUN:
                self.wait_because("ContainerCreating")
            image = await self.pull()
            if not await self.configure(image):
                continue
            began = time.monotonic()
            code = await self.once(image)
            if self.ending or self.policy == "Never" or (self.policy == "OnFailure" and code == 0):
                return
            await self.back_off(time.monotonic() - began)
            self.seen.restarts += 1

    async def pull(self) -> images.Image:
        reason = "ErrImagePull"
        while isinstance(found := images.find(self.pod.store, self.spec["image"]), str):
            self.wait_because(reason, found if reason == "ErrImagePull" else f'Back-off pulling image "{self.spec["image"]}"')
            if reason == "ErrImagePull":
                self.pod.event("Warning", "Failed", f'Failed to pull image "{self.spec["image"]}": {found}')
            await asyncio.sleep(PULL_AGAIN_S)
            reason = "ImagePullBackOff"
        self.seen.image_id = self.spec["image"]
        return found

    async def configure(self, image: images.Image) -> bool:
        """The environment; False when something it names does not exist yet."""
        try:
            sources = {key: await self.pod.api.data(key[0], self.pod.namespace, key[1]) for key in wanted_sources(self.spec)}
            named = environment(self.spec, sources, self.pod.fields)
        except ConfigError as exc:
            self.wait_because("CreateContainerConfigError", str(exc))
            await asyncio.sleep(PULL_AGAIN_S)
            return False
        path = f"{image.path / 'bin'}:/usr/bin:/bin"
        base = {"PATH": path, "LANG": "C.UTF-8", "HOME": str(self.pod.scratch), "HOSTNAME": self.pod.name}
        self.variables = {**base, **image.env, **named, **self.pod.given}
        return True

    async def once(self, image: images.Image) -> int:
        """One run of the process, from its start to its end."""
        log = self.pod.folder / f"{self.seen.name}.{self.seen.restarts}.log"
        self.marker.touch()
        started, self.seen.container_id = now(), f"lab://{self.pod.uid}/{self.seen.name}/{self.seen.restarts}"
        try:
            self.process = await self.start(command_line(self.spec, image.entrypoint, self.variables), log)
        except OSError as exc:
            end = terminated(
                128, started=started, finished=now(), container_id=self.seen.container_id, message=f"failed to start container: {exc}"
            )
            end["terminated"]["reason"] = "StartError"
            self.show(end)
            return 128
        self.over.clear()
        self.show({"running": {"startedAt": started}})
        probing = asyncio.create_task(self.probe())
        code = await self.process.wait()
        probing.cancel()
        self.kill_group()
        self.process = None  # its number may belong to another process from here on
        self.seen.ready = self.seen.started = False
        message = tail(log) if code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError" else ""
        self.show(terminated(code, started=started, finished=now(), container_id=self.seen.container_id, message=message))
        self.over.set()
        return code

    async def start(self, argv: list[str], log: Path) -> asyncio.subprocess.Process:
        program = shutil.which(argv[0], path=self.variables["PATH"]) if argv else None
        if not program:
            raise FileNotFoundError(f'exec: "{argv[0] if argv else ""}": executable file not found in $PATH')
        with log.open("ab") as out:
            return await asyncio.create_subprocess_exec(
                program, *argv[1:], env=self.variables, cwd=self.pod.scratch, stdin=asyncio.subprocess.DEVNULL,
                stdout=out, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    async def back_off(self, ran_s: float) -> None:
        """The first restart comes at once, each further one after twice as long; a calm run starts over."""
        delay = 0.0 if ran_s > CALM_S else self.back_off_s
        self.back_off_s = min(LONGEST_BACK_OFF_S, delay * 2 or FIRST_BACK_OFF_S)
        if delay:
            message = (
                f"back-off {delay:g}s restarting failed container={self.seen.name} pod={self.pod.name}_{self.pod.namespace}({self.pod.uid})"
            )
            self.wait_because("CrashLoopBackOff", message)
            self.pod.event("Warning", "BackOff", "Back-off restarting failed container")
            await asyncio.sleep(delay)

    # -- probes --------------------------------------------------------------------------------------------------------
    async def probe(self) -> None:
        """Startup first; then readiness and liveness side by side, until the process ends."""
        startup = self.spec.get("startupProbe")
        if startup and not await self.passes(startup):
            await self.fail("Startup")
            return
        self.seen.started = True
        readiness, liveness = self.spec.get("readinessProbe"), self.spec.get("livenessProbe")
        if not readiness:
            self.seen.ready = True
        self.changed()
        await asyncio.gather(
            *([self.follow_readiness(readiness)] if readiness else []), *([self.follow_liveness(liveness)] if liveness else [])
        )

    async def passes(self, probe: Json) -> bool:
        """Looks until the probe's threshold says yes or no."""
        judge = probes.Judge.of(probe)
        await asyncio.sleep(float(probe.get("initialDelaySeconds") or 0))
        while True:
            ok, _dummy = await self.look(probe)
            verdict = judge.look(ok, time.monotonic())
            if verdict is not None:
                return verdict
            await asyncio.sleep(min(judge.period_s, probes.EAGER_S))

    async def follow_readiness(self, probe: Json) -> None:
        judge = probes.Judge.of(probe)
        await asyncio.sleep(float(probe.get("initialDelaySeconds") or 0))
        while True:
            ok, what = await self.look(probe)
            verdict = judge.look(ok, time.monotonic())
            if verdict is not None and verdict != self.seen.ready:
                self.seen.ready = verdict
                self.changed()
                if not verdict:
                    self.pod.event("Warning", "Unhealthy", f"Readiness probe failed: {what}")
            await asyncio.sleep(judge.period_s if self.seen.ready else min(judge.period_s, probes.EAGER_S))

    async def follow_liveness(self, probe: Json) -> None:
        judge = probes.Judge.of(probe)
        await asyncio.sleep(float(probe.get("initialDelaySeconds") or 0))
        while True:
            ok, _dummy = await self.look(probe)
            if judge.look(ok, time.monotonic()) is False:
                await self.fail("Liveness")
                return
            await asyncio.sleep(judge.period_s)

    async def look(self, probe: Json) -> tuple[bool, str]:
        return await probes.look(probe, self.spec, self.pod.address, self.pod.session, self.execute)

    async def fail(self, kind: str) -> None:
        self.pod.event("Warning", "Unhealthy", f"{kind} probe failed; container {self.seen.name} will be restarted")
        await self.end_process(self.pod.grace_s)

    async def execute(self, command: list[str]) -> int:
        """A command inside the container: same environment, same folder."""
        process = await self.start(command, self.pod.folder / f"{self.seen.name}.exec.log")
        try:
            return await process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    # -- end -----------------------------------------------------------------------------------------------------------
    async def stop(self, grace_s: float) -> None:
        """preStop, SIGTERM, and SIGKILL to the whole group when the grace, which covers both, is over."""
        self.ending = True
        until = time.monotonic() + grace_s
        hook = ((self.spec.get("lifecycle") or {}).get("preStop") or {}).get("exec")
        if hook and grace_s > 0 and self.running:
            with contextlib.suppress(TimeoutError, OSError):
                await asyncio.wait_for(self.execute(hook["command"]), grace_s)
        await self.end_process(max(until - time.monotonic(), 0.0 if grace_s <= 0 else 2.0))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), 5)

    async def end_process(self, grace_s: float) -> None:
        process = self.process
        if process is None or process.returncode is not None:
            return
        if grace_s > 0:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), grace_s)
        self.kill_group()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def kill_group(self) -> None:
        """What the process started goes with it, as with a container."""
        if self.process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


def tail(log: Path) -> str:
    """The end of a log, as much as Kubernetes keeps of it."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - MESSAGE_BYTES))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-MESSAGE_LINES:])
    return ""

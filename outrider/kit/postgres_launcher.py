"""Run a PostgreSQL program so that it stops with its parent and, where the parent is root, not as root.

A program of its own (standard library only, run by path), because it changes user and then becomes the
PostgreSQL program: python -I -S postgres_launcher.py PARENT_PID CLUSTER PROGRAM ARGUMENT…

PostgreSQL refuses to run as root. It runs as `nobody` then, with one capability that lets it pass directories
closed to `nobody` (a .venv or DATA_DIR below /root). Where capabilities are refused, a user namespace does it.
"""

import contextlib
import ctypes
import os
import pwd
import signal
import sys
from pathlib import Path

_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)
_SET_SECURE_BITS = 28
_NO_SETUID_FIXUP = 1 << 2  # capabilities survive the change of user, and access(2) honours them
_AMBIENT = 47
_AMBIENT_RAISE = 2
_DAC_OVERRIDE = 1  # capabilities(7)
_CAPABILITY_VERSION_3 = 0x20080522
_NEW_USER_NAMESPACE = 0x10000000  # unshare(2)


def main(parent: int, cluster: Path, command: list[str]) -> None:
    """Become `command`; does not return."""
    os.umask(0o077)
    if os.geteuid() == 0:
        try:
            _leave_root(cluster)
        except OSError as error:
            sys.exit(
                f"PostgreSQL does not run as root, and neither another user nor a user namespace is allowed here "
                f"({error}). Run this program as a plain user, or use a server by OUTRIDER_DATABASE_URL."
            )
    if sys.platform == "linux":
        _call("prctl", _SET_PARENT_DEATH_SIGNAL, signal.SIGINT, 0, 0, 0)  # SIGINT is PostgreSQL's fast shutdown
        if os.getppid() != parent:
            sys.exit("the program that wanted PostgreSQL has ended")
    os.execv(command[0], command)  # noqa: S606 - there is nothing for a shell to do


def _leave_root(cluster: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    try:
        _keep_right_of_way()
        os.setgroups([])
        os.setresgid(nobody.pw_gid, nobody.pw_gid, nobody.pw_gid)
        _own(cluster, nobody.pw_uid, nobody.pw_gid)
        os.setresuid(nobody.pw_uid, nobody.pw_uid, nobody.pw_uid)
        _limit_to_right_of_way()
    except OSError:
        if os.geteuid() != 0:
            raise
        _own(cluster, 0, 0)
        _enter_user_namespace(nobody)


def _keep_right_of_way() -> None:
    _call("prctl", _SET_SECURE_BITS, _NO_SETUID_FIXUP, 0, 0, 0)


def _limit_to_right_of_way() -> None:
    """Give up all capabilities but the one to pass closed directories, and hand that on to the program."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    mask = 1 << _DAC_OVERRIDE
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable; low, then high half
    _call("capset", header, sets)
    _call("prctl", _AMBIENT, _AMBIENT_RAISE, _DAC_OVERRIDE, 0, 0)


def _enter_user_namespace(nobody: pwd.struct_passwd) -> None:
    """Inside we are called `nobody`; outside the files stay root's."""
    _call("unshare", _NEW_USER_NAMESPACE)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{nobody.pw_uid} 0 1")
    Path("/proc/self/gid_map").write_text(f"{nobody.pw_gid} 0 1")


def _own(cluster: Path, uid: int, gid: int) -> None:
    """PostgreSQL insists on owning its data; files of another way of running are taken over."""
    if not cluster.exists() or cluster.stat().st_uid == uid:
        return
    for folder, _, names in os.walk(cluster):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, uid, gid, follow_symlinks=False)


def _call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])

"""A throw-away PostgreSQL server that keeps its promises: fsync and synchronous_commit stay on."""

import os
import pwd
import random
import shutil
import subprocess

import measure


class Server:
    """Started on entering, gone on leaving. `programs`: the folder of initdb and pg_ctl."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.as_user = []
        if os.geteuid() == 0:  # the server refuses to run as root
            self.user = pwd.getpwnam("postgres")
            self.as_user = ["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups"]

    def _do(self, program, *arguments):
        command = [*self.as_user, f"{self.programs}/{program}", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def __enter__(self):
        os.makedirs(self.folder)
        if self.as_user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        data = f"{self.folder}/data"
        made = self._do("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
        if made.returncode:
            raise measure.Failed(made.stderr)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
        # What an administrator would set for a machine of this size.
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_buffers": f"{min(memory // 8, 2048)}MB",
            "work_mem": f"{min(memory // 64, 256)}MB",
            "maintenance_work_mem": f"{min(memory // 32, 512)}MB",
            "max_wal_size": "16GB",
            "checkpoint_timeout": "30min",
        }
        with open(f"{data}/postgresql.conf", "a", encoding="utf-8") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
        for _ in range(5):  # another program may take the port first
            self.port = random.randint(20_000, 32_000)
            log = f"{self.folder}/log"
            if self._do("pg_ctl", "-D", data, "-w", "-l", log, "-o", f"-p {self.port}", "start").returncode == 0:
                break
        else:
            raise measure.Failed("PostgreSQL does not start")
        with open(f"{data}/postmaster.pid", encoding="utf-8") as file:
            self.pid = int(file.readline())
        self.memory = measure.ServerMemory(self.pid)
        self.memory.start()
        return self

    def __exit__(self, *_):
        self.memory.wanted = False
        self._do("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self):
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def cpu(self):
        return sum(map(measure.ticks, measure.processes(self.pid)))

    def reset_peak(self):
        self.memory.kib = 0

    def peak(self):
        self.memory.look()
        return self.memory.kib

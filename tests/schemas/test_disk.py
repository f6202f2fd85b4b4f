import subprocess
import sys


def test_a_directory_of_a_file_system_that_syncs_none_is_no_error() -> None:
    code = """
import os
from weft.schemas.disk import sync_directory
try:
    os.fsync(os.open("/proc", os.O_RDONLY | os.O_DIRECTORY))
except OSError as error:
    print(error.strerror)
sync_directory("/proc")
print("synced")
"""  # where the disk is waited for, as it is not in these tests
    done = subprocess.run([sys.executable, "-P", "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.stdout == "Invalid argument\nsynced\n", done.stderr

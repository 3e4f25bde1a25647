"""Before anything of the tests is imported: what their helpers assert is shown with its values, too."""

import pytest

pytest.register_assert_rewrite("tests")

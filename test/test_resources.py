"""Where shipped files are found; the installations themselves are in test_installation.py."""

import pytest

from expression_ros.resources import ResourceError, config_path, models_path, share_path


def test_files_of_the_checkout_are_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert config_path("fastdds_large_images.xml").is_file()
    assert config_path("robots").is_dir()
    assert models_path("fisherfaces", "manifest.yaml").is_file()


def test_what_is_not_installed_is_named_with_the_remedy():
    with pytest.raises(ResourceError, match=r"models/none of expression_ros.*colcon build.*pip"):
        share_path("models", "none")

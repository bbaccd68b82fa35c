from __future__ import annotations

import light_install
import listening_page

FOUND = {
    "machine": {
        **{"processor": "A chip", "cores": 2, "load": [0.1, 0.2, 0.3]},
        **{"onnxruntime": "1.31.1", "date": "2026-11-23"},
    },
    "rounds": 7,
    "baseline": "k=1",
    "networks": [{"title": "k=1", "ms": 0.2, "range_ms": [0.1, 0.3], "ratio": 1.0}],
    "fronts": [{"title": "front end alone", "ms": 0.1, "range_ms": [0.1, 0.1], "ratio": 0.5}],
    "streams": [
        {"name": "demo", "rows": [{"title": "1 stream", "ms": 0.32, "real_time_factor": 0.004}]}
    ],
    "memory": {"hours": 24.0, "seconds": 130.0, "resident_mb": [90.0, 91.0, 90.5]},
    "fresh": {
        **{"model": "demo", "processes": 5, "import_s": 0.008, "first_score_s": 0.14},
        **{"whole_s": 0.2, "largest_resident_mb": 76.0},
    },
}


def test_the_page_says_what_was_measured() -> None:
    page = listening_page.page(FOUND)
    assert "medians of 7 rounds" in page
    assert "| k=1 | 0.200 ms | 1.00 |" in page
    assert "| front end alone | 0.100 ms | 0.50 |" in page
    assert "| 1 stream | 0.320 ms | 0.00400 |" in page
    assert (
        "24.0 h of noise heard in 130 s by one spotter: 90 MB at the start, then 90 to 91" in page
    )
    assert "`import watchword` 8 ms, first score after 140 ms" in page


def test_the_page_of_the_install_adds_up_its_packages() -> None:
    page = light_install.describe(
        [("numpy", "2.4", 57_400_000, 14_000_000), ("watchword", "0.1", 3_900_000, 1_500_000)]
    )
    assert "**61.3 MB** in 2 packages, and 15.5 MB of compiled caches" in page
    assert "| numpy | 2.4 | 57.4 | 14.0 |" in page

# Counts the tests of CTest's LastTest.log: each case of a cmocka program, and one for every other program.
# A program that failed counts at least one failure, also when it crashed in the middle of a case.

function finish() {
    if (!open) return
    if (run) {
        bad = run - good - skip
        if (outcome == "failed" && bad == 0) bad = 1
    } else {
        good = outcome == "passed"; skip = outcome == "skipped"; bad = !good && !skip
    }
    passed += good; failed += bad; skipped += skip
    open = 0
}

/^[0-9]+\/[0-9]+ Testing: / { finish(); open = 1; run = good = skip = listed = 0; outcome = "failed" }
/^\[ RUN      \] / { run++ }
/^\[       OK \] / { good++ }
/^\[==========\] .* run\.$/ { listed = 1 }
/^\[  SKIPPED \] / { if (!listed) skip++ }
/^Test Passed\.$/ { outcome = "passed" }
/^Test Skipped\.$/ { outcome = "skipped" }

END {
    finish()
    printf "%d passed, %d failed", passed, failed
    if (skipped) printf ", %d skipped", skipped
    print ""
    exit failed > 0
}

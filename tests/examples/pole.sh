#!/bin/sh
# pole.sh PROGRAM: the pole stands for 475 steps of 500 in the end, which the exit status says.
set -u
exec "$1" 3

#!/bin/sh
# own.sh PROGRAM: spiking units find the ring, which the exit status says.
set -u
exec "$1" 1

#!/bin/sh
# No listener is transparent: there is nothing to do.

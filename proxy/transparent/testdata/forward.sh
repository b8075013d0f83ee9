#!/bin/sh
# Made by nspiproxy rules from the configuration "forward.yaml": change that.
# No listener is transparent: there is nothing to do.

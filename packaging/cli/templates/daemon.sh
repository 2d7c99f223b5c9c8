#!/bin/sh
# Placeholder: replace it with a static program for x86-64 that stays in the foreground.
while sleep 60; do
    logger -t %NAME% "still here"
done

#!/bin/sh
# Build the images auditlane-worker and auditlane-serve with docker or buildah.
#
#   deploy/image/build.sh               # both images, tagged with the version
#   TARGETS=worker BASE=… deploy/image/build.sh
#
# BASE: base image, with a digest for a release. PYTHON: a Python with pip and `build`'s backend, of the same version and
# platform as BASE's, for which it downloads the wheels. BUILDER: docker or buildah; OPTIONS: more options for it.
set -eu
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3}
BUILDER=${BUILDER:-$(command -v docker >/dev/null 2>&1 && echo docker || echo buildah)}
TARGETS=${TARGETS:-worker serve}
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
CONTEXT=build/image
rm -rf "$CONTEXT"
mkdir -p "$CONTEXT/wheels"
cp deploy/image/worker.txt deploy/image/serve.txt deploy/image/Dockerfile deploy/image/.dockerignore "$CONTEXT"
# The locks name a hash for every file; the images are then built without a network.
for target in $TARGETS; do
    "$PYTHON" -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
        --requirement "deploy/image/$target.txt" --dest "$CONTEXT/wheels"
done
"$PYTHON" consumers/viewer/build.py
"$PYTHON" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$CONTEXT/wheels" .
for target in $TARGETS; do
    if [ "$BUILDER" = docker ]; then build="docker build"; else build="buildah build --layers"; fi
    # shellcheck disable=SC2086 # several words are intended
    $build ${OPTIONS:-} ${BASE:+--build-arg "BASE=$BASE"} --build-arg "VERSION=$VERSION" --build-arg "REVISION=$REVISION" \
        --target "$target" --tag "auditlane-$target:$VERSION" --file "$CONTEXT/Dockerfile" "$CONTEXT"
done

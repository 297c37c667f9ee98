#!/usr/bin/env bash
# release.sh VERSION [FOLDER]: builds what is released into a folder, dist unless named: an archive for each platform, the
# list of what is in each binary (a CycloneDX SBOM), and the checksums of all. The same sources give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?release.sh VERSION [FOLDER]}
out=$(realpath -m "${2:-dist}")
platforms=${PLATFORMS:-linux/amd64 linux/arm64 darwin/arm64}
sbom=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for platform in $platforms; do
    os=${platform%/*} arch=${platform#*/}
    name=rolecall-$version-$os-$arch
    mkdir -p "$work/$name"
    CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -ldflags="-s -w" -o "$work/$name/rolecall" ./cmd/server
    cp LICENSE README.md "$work/$name/"
    cp -r deploy/systemd "$work/$name/"
    tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=go-w -C "$work" -c "$name" | gzip -9n > "$out/$name.tar.gz"
    go run "$sbom" bin -json -std -noserial -version "$version" -output "$out/$name.sbom.json" "$work/$name/rolecall"
    sed -i "s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$(date -u -d "@$epoch" +%FT%TZ)\"/" "$out/$name.sbom.json" # the tool's own is of now
done
(cd "$out" && sha256sum "rolecall-$version"-*.tar.gz "rolecall-$version"-*.sbom.json > "rolecall-$version.sha256")
echo "$out:"
cat "$out/rolecall-$version.sha256"

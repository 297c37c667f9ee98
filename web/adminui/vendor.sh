#!/usr/bin/env bash
# Puts the built files of the official Socket.IO Admin UI here, with the fonts and icons that its page takes from elsewhere.
# The releases are named here, and their archives by digest, so that the same files come out each time.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch NAME VERSION DIGEST: unpacks an npm package into $work/FOLDER, FOLDER being its name without the scope.
fetch() {
    local folder=$work/${1##*/} archive
    archive=$(cd "$work" && npm pack --silent "$1@$2")
    echo "$3  $work/$archive" | sha256sum --check --quiet
    mkdir -p "$folder"
    tar -xzf "$work/$archive" -C "$folder" --strip-components=1
}
fetch @socket.io/admin-ui 0.5.1 9bc44acc6b53c1798cfc8fa2af2e071b33d454ba9ec3b673b87f87768d003666
fetch @mdi/font 7.4.47 66131558352dc8df724feac30f3b7bf7ee7311a79e4f8436f3637c0993edb773
fetch @fontsource/roboto 5.3.0 77620f437249772e381698224ea1bddd01c985ecd60267a63ddc96b9eb9348f7

rm -rf files licences
mkdir -p files/{js,css,img,fonts} licences
built=$work/admin-ui/ui/dist

# The page as it is, but that it has its fonts from this server, and asks it for its own address.
sed -e 's#https://fonts.googleapis.com/css[^"]*#fonts/roboto.css#' \
    -e 's#https://cdn.jsdelivr.net/npm/@mdi/font@latest/css/#fonts/#' \
    -e 's#</body>#<script src="address.js"></script></body>#' "$built/index.html" >files/index.html
cp "$built/favicon.png" files/
cp "$built"/img/*.svg files/img/
for name in js/app js/chunk-vendors css/app css/chunk-vendors; do
    for file in "$built/$name".*.${name%/*}; do
        # Without the line that names a source map, which is not served.
        sed '/^\/\/# sourceMappingURL=/d' "$file" | gzip -9n >"files/${name%/*}/${file##*/}.gz"
    done
done

# The icons, in the one format that every browser takes which the page runs in.
sed 's#src:url("[^"]*eot?v=[^;]*;src:[^;]*\(url("\)\.\./fonts/\([^"]*woff2\)[^;]*;#src:\1\2") format("woff2");#' \
    "$work/font/css/materialdesignicons.min.css" | sed '/sourceMappingURL/d' | gzip -9n >files/fonts/materialdesignicons.min.css.gz
cp "$work/font/fonts/materialdesignicons-webfont.woff2" files/fonts/

# Roboto in the weights that the page asks for, and the letters of the languages that it speaks.
: >files/fonts/roboto.css
for weight in 100 300 400 500 700 900; do
    for letters in latin-ext latin; do
        awk -v name="/* roboto-$letters-$weight-normal */" '$0 == name {on = 1} on {print} on && /^}/ {exit}' "$work/roboto/$weight.css" |
            sed 's#url(\./files/\([^)]*\)) format(.woff2.),.*;#url(\1) format("woff2");#' >>files/fonts/roboto.css
        cp "$work/roboto/files/roboto-$letters-$weight-normal.woff2" files/fonts/
    done
done

cp "$work/admin-ui/LICENSE" licences/socket.io-admin-ui
cp "$work/font/LICENSE" licences/material-design-icons
cp "$work/roboto/LICENSE" licences/roboto

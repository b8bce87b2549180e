#!/usr/bin/env bash
# Fetches the viewer of /docs with npm, by its package name, and copies its files into server/page/vendor/.
#   server/vendor_viewer.sh            the version in README.md there; its integrity must be the recorded one
#   server/vendor_viewer.sh VERSION    another version; the integrity that npm reports is recorded
# Neither the build nor the program calls this script: the files are part of the tree, and tests/tidy/vendored.py
# checks that they are unchanged.
set -euo pipefail

package=swagger-ui-dist
files=(swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css LICENSE NOTICE)

vendor=$(cd "$(dirname "$0")/page/vendor" && pwd)
line="$package [0-9.]* (\`sha512-[A-Za-z0-9+/=]*\`)"

# Prints the version, or the integrity, that README.md states.
recorded() { sed -n "s|^.*$package \([0-9.]*\) (\`\(sha512-[A-Za-z0-9+/=]*\)\`).*$|\\$1|p" "$vendor/README.md"; }

version=${1:-$(recorded 1)}
if [[ $version == "$(recorded 1)" ]]; then
    wanted=$(recorded 2)
else
    wanted=$(npm view "$package@$version" dist.integrity)
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent "$package@$version" >/dev/null
archive=$(echo ./*.tgz)
fetched="sha512-$(openssl dgst -sha512 -binary "$archive" | base64 -w 0)"
if [[ $fetched != "$wanted" ]]; then
    echo "$package $version: fetched $fetched, but wanted $wanted" >&2
    exit 1
fi

tar -xzf "$archive"
for file in "${files[@]}"; do
    install -m 644 "package/$file" "$vendor/$file"
done
sed -i "s|$line|$package $version (\`$wanted\`)|" "$vendor/README.md"
(cd "$vendor" && sha256sum "${files[@]}" >SHA256SUMS)
echo "$package $version: $(cd "$vendor" && du -ch "${files[@]}" | tail -n 1 | cut -f 1) in server/page/vendor"

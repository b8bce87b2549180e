# The images the lab is made of: from a registry, or stand-ins under the same names. Sourced by run.
#
# A stand-in does what the lab needs of the official image, from Debian packages and Go modules, and is only ever made
# in an engine of our own: nobody else shall find a "postgres" that is none. Grafana has no such source: it is left out.
# shellcheck shell=bash disable=SC2034,SC2154 # the parts share their variables

images_left_out=()

# Every image that compose does not build, and the one the Dockerfile stands on.
images_wanted() {
    sed -n 's/^FROM \([^ ]*:[^ ]*\).*/\1/p' "$root/compose/Dockerfile" | sort -u
    docker compose --profile k6 config --images | grep -v '^race-conditions-lab' | sort -u
}

images_ensure() {
    local image wanted registry=true
    ! $stand_ins || registry=false
    mapfile -t wanted < <(images_wanted)
    for image in "${wanted[@]}"; do
        if docker image inspect "$image" >/dev/null 2>&1; then
            say "Image $image: there"
        elif $registry && timeout 600 docker pull --quiet "$image" >"$state/pull.log" 2>&1; then
            say "Image $image: pulled"
        else
            registry=false # one refusal is enough
            images_stand_in "$image"
        fi
    done
}

images_stand_in() {
    local image=$1 name=${1%:*} log
    $engine_is_ours || fail "no registry gives $image, and stand-ins are not made in an engine that is not ours"
    log=$state/image-${name//\//-}.log
    say "Image $image: making a stand-in (log: $log)"
    case $name in
        debian)               images_make_debian "$image" >"$log" 2>&1 ;;
        postgres)             images_build "$image" "$here/stand-ins" postgres >"$log" 2>&1 ;;
        prom/prometheus)      images_build "$image" "$here/stand-ins" prometheus >"$log" 2>&1 ;;
        jaegertracing/jaeger) images_make_jaeger "$image" >"$log" 2>&1 ;;
        grafana/k6)           images_make_k6 "$image" >"$log" 2>&1 ;;
        *) false ;;
    esac || images_leave_out "$image"
}

# Without these there is no lab; without the others there is one with less to look at.
images_leave_out() {
    case $1 in
        debian:* | postgres:* | prom/*) fail "no stand-in for $1 could be made: $(tail -n 1 "$log" 2>/dev/null)" ;;
    esac
    say "Image $1: cannot be had here; its service is left out"
    images_left_out+=("$1")
}

# The official slim image leaves out the same folders.
images_make_debian() {
    local image=$1 tree=$state/debian
    if ! command -v debootstrap >/dev/null; then
        $install && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends debootstrap || return
    fi
    rm -rf "$tree"
    # An empty mirror is debootstrap's own default.
    debootstrap --variant=minbase trixie "$tree" "$(debian_mirror || true)" || return
    rm -rf "$tree"/usr/share/{doc,man,locale,info,lintian} "$tree"/var/cache/apt/*.bin "$tree"/var/cache/apt/archives/*.deb \
        "$tree"/var/lib/apt/lists/*
    tar --create --directory "$tree" --numeric-owner --one-file-system . |
        docker import --change 'CMD ["bash"]' --change "LABEL lab.stand-in=true" - "$image" || return
    rm -rf "$tree"
}

# images_build IMAGE CONTEXT TARGET: the classic builder, which the engine brings itself.
images_build() {
    DOCKER_BUILDKIT=0 docker build --quiet --label lab.stand-in=true --file "$2/$3.Dockerfile" --tag "$1" "$2"
}

# Jaeger v2.N is the Go module's v1.(63+N). Its replacements forbid go install, so it is built where it was unpacked.
images_make_jaeger() {
    local image=$1 minor folder module
    minor=${image#*:2.} minor=${minor%%.*}
    module=github.com/jaegertracing/jaeger@v1.$((63 + minor)).0
    command -v go >/dev/null || { echo "no Go toolchain"; return 1; }
    folder=$(cd "$state" && go mod download -json "$module" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
    [[ -n $folder ]] && (cd "$folder" && images_go build -o "$state/jaeger/jaeger" ./cmd/jaeger) &&
        images_around "$image" jaeger
}

images_make_k6() {
    local image=$1
    command -v go >/dev/null || { echo "no Go toolchain"; return 1; }
    (cd "$state" && GOBIN=$state/k6 images_go install "go.k6.io/k6@v${image#*:}") && images_around "$image" k6
}

# images_go VERB ARGUMENTS: static, for an image without a C library of this machine's age, and built
# with the toolchain that is there.
images_go() { CGO_ENABLED=0 GOTOOLCHAIN=local nice go "$1" -trimpath -ldflags='-s -w' "${@:2}"; }

# images_around IMAGE NAME: an image around the program in $state/NAME.
images_around() {
    cp "$here/stand-ins/$2.Dockerfile" "$state/$2/" && images_build "$1" "$state/$2" "$2"
}

# Stands in for the official grafana/k6 image.
FROM debian:trixie-slim
COPY k6 /usr/bin/k6
USER 12345
WORKDIR /home/k6
ENTRYPOINT ["k6"]

# Stands in for the official jaegertracing/jaeger image, without the web pages, which the Go module does not hold.
FROM debian:trixie-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends wget \
 && rm -rf /var/lib/apt/lists/*
COPY jaeger /cmd/jaeger/jaeger-linux
ENV JAEGER_LISTEN_HOST=0.0.0.0
USER 10001
EXPOSE 4317 4318 13133 16686
ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]

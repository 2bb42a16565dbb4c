# signalbox in a small image: the binary, git and bash, and a user without rights.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -tags nomsgpack -ldflags "-s -w" -o /signalbox .

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends git bash ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/signalbox --create-home signalbox
COPY --from=build /signalbox /usr/local/bin/signalbox
USER signalbox
WORKDIR /var/lib/signalbox
VOLUME /var/lib/signalbox
ENV SIGNALBOX_LISTEN=0.0.0.0:8080 SIGNALBOX_DATA=/var/lib/signalbox
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["curl", "-fsS", "http://127.0.0.1:8080/-/readiness"]
ENTRYPOINT ["signalbox"]
CMD ["serve"]

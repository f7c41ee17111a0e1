# The image of everything that runs: `scorer worker`, `scorer collector` and the commands beside them.
#
#     docker build -t scorer .
#     docker run --rm scorer worker --help
#
# Only /var/lib/scorer is written to (and /tmp): run it with a read-only root file system. An index other than pip's
# own goes in as a secret, so that it leaves no trace: --secret id=pip,src=pip.conf. docs/deploy.md says more.

ARG PYTHON=3.11.14

# -- build: the locked packages, the wheel, and the engine compiled ---------------------------------
FROM python:${PYTHON}-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_INPUT=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /src

# What is shipped. These two layers change with a lock file only.
COPY requirements/runtime.txt requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv /opt/scorer \
    && /opt/scorer/bin/pip install --require-hashes --only-binary :all: -r requirements/runtime.txt

# What builds, in an environment of its own.
COPY requirements/build.txt requirements/compile.txt requirements/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --only-binary :all: \
        -r requirements/runtime.txt -r requirements/build.txt -r requirements/compile.txt

COPY pyproject.toml README.md ./
COPY tools tools
COPY rules rules
COPY schemas schemas
COPY scorer scorer

# The wheel with its Python sources, then beside them what mypyc has made of the engine: the same package, twice as fast.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /tmp/wheel . \
    && /opt/scorer/bin/pip install --no-deps --no-index /tmp/wheel/*.whl \
    && site=$(/opt/scorer/bin/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))') \
    && compiled=$(/opt/build/bin/python tools/compile) \
    && env --chdir="$compiled" find . -name '*.so' -exec cp --parents {} "$site" \; \
    && /opt/scorer/bin/python -I -c 'import scorer.domain.engine as e; assert e.__file__.endswith(".so"), e' \
    && /opt/scorer/bin/pip uninstall --yes pip setuptools \
    && /opt/scorer/bin/python -I -m compileall -q "$site"

# -- what runs ------------------------------------------------------------------------------------
FROM python:${PYTHON}-slim-bookworm

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Scorer" \
      org.opencontainers.image.description="Scores leads in real time from Kafka activity topics" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The same number wherever it runs: files in volumes belong to it.
RUN groupadd --gid 10001 scorer \
    && useradd --uid 10001 --gid scorer --home-dir /var/lib/scorer --no-create-home --shell /usr/sbin/nologin scorer \
    && install --directory --owner=scorer --group=scorer --mode=0750 /var/lib/scorer

COPY --from=build /opt/scorer /opt/scorer
COPY rules /usr/share/scorer/rules

# Metrics and probes are to be reached from outside the container; outside it only who may reach its network.
ENV PATH=/opt/scorer/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SCORER_DATA_DIR=/var/lib/scorer \
    SCORER_METRICS_HOST=0.0.0.0 \
    SCORER_COLLECTOR_HOST=0.0.0.0

USER 10001:10001
WORKDIR /var/lib/scorer

# A worker's metrics and probes, a collector's, and the collector's events.
EXPOSE 9464 9465 8080

# No shell between: SIGTERM reaches the process, which ends with its last checkpoint.
STOPSIGNAL SIGTERM
ENTRYPOINT ["scorer"]
CMD ["--help"]

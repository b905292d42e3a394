//! Does what a release needs done outside the store: builds images, runs tasks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use compute::{Driver, HealthProbe, TaskSet, TaskSetId};
use image::{BuildCommand, ImageError, Images, Recipe};
use release::actuator::BoxFuture;
use release::journal::{Patch, Request, Version};
use release::manifest::Service;
use release::{Actuator, Fault, Manifest, ReleaseId};

use crate::Layout;
use crate::feed::Feed;

/// While tasks start they are probed this often, whatever the interval of the mesh's own checks.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(crate) struct LocalActuator {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) layout: Layout,
    pub(crate) images: Images,
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) feed: Arc<Feed>,
}

impl Actuator for LocalActuator {
    fn build<'a>(
        &'a self,
        id: &'a ReleaseId,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Version, Fault>> {
        Box::pin(self.build(id, request))
    }

    fn start_tasks<'a>(
        &'a self,
        service: &'a str,
        version: &'a Version,
        count: u32,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.start_tasks(service, version, count))
    }

    fn retire<'a>(
        &'a self,
        service: &'a str,
        version: &'a Version,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let id = task_set(service, &version.tag);
        Box::pin(async move {
            self.driver
                .remove(&id)
                .await
                .map_err(|error| transient(&error))
        })
    }
}

impl LocalActuator {
    async fn build(&self, id: &ReleaseId, request: &Request) -> Result<Version, Fault> {
        let recipe = self.recipe(id, request)?;
        let log = self.layout.build_log(id);
        let mut lines = std::fs::File::create(&log).map_err(|error| transient(&error))?;
        let built = self.images.build(&recipe, |line| {
            // The log is for people; a build does not fail because its log cannot be written.
            drop(std::io::Write::write_all(
                &mut lines,
                format!("{line}\n").as_bytes(),
            ));
        });
        let built = built.await.map_err(|error| fault_of_build(&error))?;
        Ok(Version {
            tag: request.tag.clone(),
            digest: built.version.digest.to_string(),
        })
    }

    /// How the request's version is made. Its patches are written beside its log, for people to see.
    pub(crate) fn recipe(&self, id: &ReleaseId, request: &Request) -> Result<Recipe, Fault> {
        let directory = self.layout.release(id);
        let written =
            std::fs::create_dir_all(&directory).and_then(|()| write_patches(&directory, request));
        let patches = written.map_err(|error| transient(&error))?;
        self.recipe_of(&request.service, &request.tag, patches)
    }

    /// A recipe for a version of a service from these patches.
    pub(crate) fn recipe_of(
        &self,
        service: &str,
        tag: &str,
        patches: Vec<PathBuf>,
    ) -> Result<Recipe, Fault> {
        let settings = self.service(service)?;
        let (name, tag) = names(service, tag)?;
        // What the server writes while a build runs is no part of the source.
        let own_state = self.layout.root().strip_prefix(&settings.source).ok();
        let own_state = own_state.filter(|path| !path.as_os_str().is_empty());
        Ok(Recipe {
            patches,
            build: settings
                .build
                .as_ref()
                .map(|command| BuildCommand::Program(command.words().to_vec())),
            artifacts: settings.artifacts.clone(),
            ignore: own_state
                .map(|path| format!("/{}", path.display()))
                .into_iter()
                .collect(),
            // Whoever asks has made sure that no running version has this tag.
            retag: true,
            ..Recipe::new(name, tag, &settings.source)
        })
    }

    pub(crate) async fn start_tasks(
        &self,
        service: &str,
        version: &Version,
        count: u32,
    ) -> Result<(), Fault> {
        let settings = self.service(service)?;
        let artifact = self.artifact(service, version)?;
        let mut environment = settings.environment.clone();
        environment.extend(
            self.proxy_environment(service, settings, &version.tag)
                .await?,
        );
        let task_set = TaskSet {
            id: task_set(service, &version.tag),
            artifact,
            command: settings.run.words().to_vec(),
            environment,
            count,
            health: Some(HealthProbe {
                path: settings.health.path.to_string(),
                interval: PROBE_INTERVAL,
                timeout: settings.health.timeout.0,
                healthy_threshold: settings.health.healthy_threshold,
                unhealthy_threshold: settings.health.unhealthy_threshold,
            }),
            stop_grace: settings.stop_grace.0,
        };
        self.driver
            .apply(task_set)
            .await
            .map_err(|error| match error {
                compute::Error::Invalid { .. } => Fault::Permanent(chain(&error)),
                error => transient(&error),
            })
    }

    fn artifact(&self, service: &str, version: &Version) -> Result<PathBuf, Fault> {
        let (name, tag) = names(service, &version.tag)?;
        match self
            .images
            .get(&name, &tag)
            .map_err(|error| transient(&error))?
        {
            Some(image) if image.digest.to_string() == version.digest => Ok(image.directory),
            _ => Err(Fault::Permanent(format!(
                "version {service}:{} ({}) is not among the built images any more",
                version.tag, version.digest
            ))),
        }
    }

    /// A service with backends reaches them through its node's egress listener, as an HTTP proxy.
    async fn proxy_environment(
        &self,
        service: &str,
        settings: &Service,
        tag: &str,
    ) -> Result<BTreeMap<String, String>, Fault> {
        if settings.backends.is_empty() {
            return Ok(BTreeMap::new());
        }
        let node = self.manifest.virtual_node(service, tag);
        let address = self.feed.address(&node).await.ok_or_else(|| {
            Fault::Transient(format!("the proxy of {} does not listen yet", node.name()))
        })?;
        let url = format!("http://{address}");
        Ok(BTreeMap::from([
            ("http_proxy".to_owned(), url.clone()),
            ("SERIN_EGRESS".to_owned(), url),
        ]))
    }

    fn service(&self, name: &str) -> Result<&Service, Fault> {
        self.manifest
            .services
            .get(name)
            .ok_or_else(|| Fault::Permanent(format!("the manifest has no service {name} any more")))
    }
}

pub(crate) fn task_set(service: &str, tag: &str) -> TaskSetId {
    TaskSetId {
        service: service.to_owned(),
        version: tag.to_owned(),
    }
}

/// Writes the request's patches into a directory, in their order.
pub(crate) fn write_patches(directory: &Path, request: &Request) -> std::io::Result<Vec<PathBuf>> {
    let write = |(number, patch): (usize, &Patch)| {
        // The name came from a client: only its last part, behind a number, becomes a file name.
        let name = patch.name.rsplit('/').next().unwrap_or_default();
        let path = directory.join(format!("{:04}-{name}", number + 1));
        std::fs::write(&path, &patch.text)?;
        Ok(path)
    };
    request.patches.iter().enumerate().map(write).collect()
}

fn names(service: &str, tag: &str) -> Result<(image::Name, image::Name), Fault> {
    let name = |text: &str| {
        text.parse()
            .map_err(|error: image::name::NameError| Fault::Permanent(chain(&error)))
    };
    Ok((name(service)?, name(tag)?))
}

/// A patch, a build or a disk that refuses, refuses again.
fn fault_of_build(error: &ImageError) -> Fault {
    match error {
        ImageError::Interrupted | ImageError::SourceChanged { .. } => transient(error),
        _ => Fault::Permanent(chain(error)),
    }
}

fn transient(error: &dyn std::error::Error) -> Fault {
    Fault::Transient(chain(error))
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        // Some messages quote their cause already.
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}

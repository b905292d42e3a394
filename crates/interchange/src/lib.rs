//! Meshes in the forms people keep them: CloudFormation templates, Kubernetes resources, JSON of the
//! `aws` command line, Terraform state. Pure: text in, resources with their places out, and back.

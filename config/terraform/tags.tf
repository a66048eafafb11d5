locals {
  tags = merge(var.extra_tags, {
    managed-by  = "terraform"
    environment = var.environment
    owner       = var.owner
    contact     = var.contact
  })
}

package cachemodel

func (p *planner) classic(target *stagePlan) {}
